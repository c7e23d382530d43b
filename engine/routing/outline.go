package routing

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Symbol is something that a file of rules names: a block, or one value of a locals block. Places are bytes of the file.
type Symbol struct {
	Kind string // the block's type, or "local"
	Name string // its label; "" = it has none
	// Start and End are the whole of it, NameStart and NameEnd its name, or its type where it has none.
	Start, End, NameStart, NameEnd int
	// Value is a local's value as it is written, which is never what env() and file() read.
	Value    string
	Children []Symbol // the cases of a test, the values of a locals block, a provider's config
}

// Outline returns what a file names, in the order in which it is written. ok is false where the file does not parse;
// then it returns what could be made of it.
func Outline(name string, content []byte) (symbols []Symbol, ok bool) {
	if len(content) > MaxFileBytes {
		return nil, false
	}
	s := newSource(name, content)
	body, ds := s.parse()
	if body == nil {
		return nil, false
	}
	return outline(s, body), !ds.HasErrors()
}

func outline(s *source, body *hclsyntax.Body) []Symbol {
	var list []Symbol
	for _, b := range body.Blocks {
		at, name := b.Range(), b.TypeRange
		symbol := Symbol{Kind: b.Type, Start: at.Start.Byte, End: max(at.End.Byte, b.CloseBraceRange.End.Byte)}
		if len(b.Labels) > 0 {
			symbol.Name, name = b.Labels[0], b.LabelRanges[0]
		}
		symbol.NameStart, symbol.NameEnd = name.Start.Byte, name.End.Byte
		if b.Type == "locals" {
			symbol.Children = localSymbols(s, b.Body)
		} else {
			symbol.Children = outline(s, b.Body)
		}
		list = append(list, symbol)
	}
	return list
}

func localSymbols(s *source, body *hclsyntax.Body) []Symbol {
	attributes := hcl.Attributes{}
	for name, a := range body.Attributes {
		attributes[name] = a.AsHCLAttribute()
	}
	var list []Symbol
	for _, a := range inOrder(attributes) {
		list = append(list, Symbol{
			Kind: "local", Name: a.Name, Start: a.Range.Start.Byte, End: a.Range.End.Byte,
			NameStart: a.NameRange.Start.Byte, NameEnd: a.NameRange.End.Byte, Value: string(a.Expr.Range().SliceBytes(s.content)),
		})
	}
	return list
}
