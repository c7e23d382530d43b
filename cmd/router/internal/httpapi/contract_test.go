package httpapi

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// contract is openapi.json, as far as the tests need it.
type contract struct {
	Paths map[string]map[string]struct {
		Security    []map[string][]string
		RequestBody any
		Responses   map[string]*response
	}
	Components struct {
		Responses map[string]*response
		Schemas   map[string]*schema
	}
}

type response struct {
	Ref     string `json:"$ref"`
	Content map[string]struct{ Schema *schema }
}

type schema struct {
	Ref                  string `json:"$ref"`
	Type                 any
	Properties           map[string]*schema
	AdditionalProperties json.RawMessage
	Required             []string
	Items                *schema
	Enum                 []any
	Pattern              string
	Format               string
}

func readContract(t *testing.T) *contract {
	t.Helper()
	c := &contract{}
	if err := json.Unmarshal(openAPI, c); err != nil {
		t.Fatal(err)
	}
	return c
}

// Every route is in openapi.json with its scope, and nothing else is.
func TestContractListsTheRoutes(t *testing.T) {
	t.Parallel()
	c := readContract(t)
	var got, want []string
	for path, calls := range c.Paths {
		for method, call := range calls {
			need := open
			if len(call.Security) > 0 {
				need = scope(call.Security[0]["key"][0])
			}
			got = append(got, fmt.Sprintf("%s %s %q", strings.ToUpper(method), path, need))
		}
	}
	for _, r := range routes {
		want = append(want, fmt.Sprintf("%s %s %q", r.method, r.path, r.need))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("openapi.json has\n%s\nthe table of routes has\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// Every reference leads somewhere, and every schema is used.
func TestContractIsWhole(t *testing.T) {
	t.Parallel()
	c := readContract(t)
	used := map[string]bool{}
	for _, m := range regexp.MustCompile(`"#/components/(\w+)/(\w+)"`).FindAllStringSubmatch(string(openAPI), -1) {
		used[m[2]] = true
		if m[1] == "schemas" && c.Components.Schemas[m[2]] == nil || m[1] == "responses" && c.Components.Responses[m[2]] == nil {
			t.Errorf("%s leads nowhere", m[0])
		}
	}
	for name := range c.Components.Schemas {
		if !used[name] && name != "StreamEvent" { // the data of a text/event-stream
			t.Errorf("the schema %s is not used", name)
		}
	}
}

// The codes of openapi.json are those that this package gives.
func TestContractListsTheCodes(t *testing.T) {
	t.Parallel()
	known := readContract(t).Components.Schemas["Problem"].Properties["code"].Enum
	given := regexp.MustCompile(`(?:newProblem\([^"]*|unavailable\()"([a-z_]+)"`)
	var got []any
	for _, m := range given.FindAllStringSubmatch(sourceOf(t), -1) {
		if !slices.Contains(got, any(m[1])) {
			got = append(got, m[1])
		}
	}
	for _, code := range got {
		if !slices.Contains(known, code) {
			t.Errorf("openapi.json does not know the code %s", code)
		}
	}
	if len(got) != len(known) {
		t.Errorf("openapi.json has %d codes, the source %d: %v and %v", len(known), len(got), known, got)
	}
}

// check holds an answer against openapi.json: the call, its status, its content type and every property.
func (c *contract) check(t *testing.T, method, path string, a answer) {
	t.Helper()
	path, _, _ = strings.Cut(path, "?")
	if method == http.MethodHead {
		method = http.MethodGet
	}
	responses := map[string]*response{"default": {Ref: "#/components/responses/Problem"}}
	for template, calls := range c.Paths {
		if call, ok := calls[strings.ToLower(method)]; ok && matchesTemplate(template, path) {
			responses = call.Responses
		}
	}
	r := responses[strconv.Itoa(a.Status)]
	if r == nil && a.Status >= 400 {
		r = responses["default"]
	}
	if r == nil {
		if a.Status != http.StatusNoContent || method != http.MethodOptions {
			t.Errorf("%s %s: openapi.json knows no status %d", method, path, a.Status)
		}
		return
	}
	if r.Ref != "" {
		r = c.Components.Responses[r.Ref[strings.LastIndexByte(r.Ref, '/')+1:]]
	}
	if len(r.Content) == 0 && a.Body != "" {
		t.Errorf("%s %s: openapi.json knows no body of status %d: %s", method, path, a.Status, a.Body)
	}
	for kind, content := range r.Content {
		if got := a.Header.Get("Content-Type"); got != kind {
			t.Errorf("%s %s: content type %q, openapi.json says %q", method, path, got, kind)
		}
		if a.Body == "" || strings.HasPrefix(kind, "text/") {
			continue
		}
		var v any
		if err := json.Unmarshal([]byte(a.Body), &v); err != nil {
			t.Errorf("%s %s: %v in %s", method, path, err, a.Body)
		}
		for _, fault := range c.faults(content.Schema, v, "") {
			t.Errorf("%s %s, status %d: openapi.json says otherwise: %s", method, path, a.Status, fault)
		}
	}
}

func matchesTemplate(template, path string) bool {
	pattern := regexp.MustCompile(`\\\{\w+\\\}`).ReplaceAllString(regexp.QuoteMeta(template), `[^/]+`)
	return regexp.MustCompile("^" + pattern + "$").MatchString(path)
}

// faults says where v is not what the schema says. A property that it does not name is a fault.
func (c *contract) faults(s *schema, v any, at string) []string {
	if s.Ref != "" {
		return c.faults(c.Components.Schemas[s.Ref[strings.LastIndexByte(s.Ref, '/')+1:]], v, at)
	}
	kinds := []any{s.Type}
	if list, ok := s.Type.([]any); ok {
		kinds = list
	}
	if !slices.Contains(kinds, any(kindOf(v))) {
		return []string{fmt.Sprintf("%s is %s, not %v", at, kindOf(v), s.Type)}
	}
	if len(s.Enum) > 0 && !slices.Contains(s.Enum, v) {
		return []string{fmt.Sprintf("%s is %v, none of %v", at, v, s.Enum)}
	}
	var out []string
	switch v := v.(type) {
	case string:
		if s.Pattern != "" && !regexp.MustCompile(s.Pattern).MatchString(v) {
			out = append(out, fmt.Sprintf("%s is %q, not of the form %s", at, v, s.Pattern))
		}
	case []any:
		for i, item := range v {
			out = append(out, c.faults(s.Items, item, fmt.Sprintf("%s[%d]", at, i))...)
		}
	case map[string]any:
		for _, name := range s.Required {
			if _, ok := v[name]; !ok {
				out = append(out, at+"."+name+" is missing")
			}
		}
		for _, name := range slices.Sorted(maps.Keys(v)) {
			out = append(out, c.propertyFaults(s, name, v[name], at+"."+name)...)
		}
	}
	return out
}

func (c *contract) propertyFaults(s *schema, name string, v any, at string) []string {
	switch property := s.Properties[name]; {
	case property != nil:
		return c.faults(property, v, at)
	case s.AdditionalProperties == nil:
		return []string{at + " is not documented"}
	case string(s.AdditionalProperties) == "true":
		return nil
	}
	additional := &schema{}
	if err := json.Unmarshal(s.AdditionalProperties, additional); err != nil {
		return []string{err.Error()}
	}
	return c.faults(additional, v, at)
}

func kindOf(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		return "string"
	case bool:
		return "boolean"
	case float64:
		if v == float64(int64(v)) {
			return "integer"
		}
		return "number"
	case []any:
		return "array"
	}
	return "object"
}

func sourceOf(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(f, "_test.go") {
			all.Write(b)
		}
	}
	return all.String()
}
