package routing

import (
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// parts read the parts of an object by name.
type parts map[string]func(name string, e hcl.Expression)

// object reads an object that is written out, like { fixed = 900, percent = 1.2 }, whose parts are known; required
// ones have to be there.
func (l *loader) object(name string, e hcl.Expression, example string, known parts, required ...string) {
	given := l.items(name, e, example, func(part string, item hclsyntax.ObjectConsItem) {
		read := known[part]
		if read == nil {
			l.fault(item.KeyExpr.Range(), "Unknown part of "+name, unknown(part, slices.Sorted(maps.Keys(known))))
			return
		}
		read(part, item.ValueExpr)
	})
	for _, part := range required {
		if given != nil && !given[part] {
			l.fault(e.Range(), name+" has no "+part, "Write "+example+".")
		}
	}
}

// items hands each part of an object that is written out to read, once. It returns their names,
// nil where there is no object.
func (l *loader) items(name string, e hcl.Expression, example string, read func(part string, item hclsyntax.ObjectConsItem)) map[string]bool {
	object, ok := e.(*hclsyntax.ObjectConsExpr)
	if !ok {
		l.fault(e.Range(), name+" must be written out", "Write "+example+".")
		return nil
	}
	seen := map[string]bool{}
	for _, item := range object.Items {
		part := keyOf(item)
		if seen[part] {
			l.fault(item.KeyExpr.Range(), fmt.Sprintf("%s is there twice", part), "")
			continue
		}
		seen[part] = true
		read(part, item)
	}
	return seen
}

// keyOf returns the name of a part of an object, quoted or not; "" where it is neither.
func keyOf(item hclsyntax.ObjectConsItem) string {
	key, _ := item.KeyExpr.Value(nil)
	if key.IsNull() || !key.IsKnown() || key.Type() != cty.String {
		return ""
	}
	return key.AsString()
}
