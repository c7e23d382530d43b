package routing

import (
	"bytes"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
)

// Files returns the files that Load reads at path with Options.Tests, in the order in which it reads them.
func Files(path string) ([]string, error) {
	names, _, err := rulesFiles(path, true, nil)
	return names, err
}

// Format returns the canonical form of a file of rules: two spaces a level, equal signs and comments aligned, at most
// one empty line between lines and none at the start of a block, and a line break at the end. Nothing else changes, comments are kept, and formatting
// it again changes nothing. Only what parses is formatted; whether it is right is Load's to say.
func Format(name string, content []byte) ([]byte, Diagnostics) {
	if len(content) > MaxFileBytes {
		return nil, Diagnostics{tooLargeFile(name)}
	}
	if _, ds := newSource(name, content).parse(); ds.HasErrors() {
		return nil, ds
	}
	return withoutEmptyLines(hclwrite.Format(content)), nil
}

// withoutEmptyLines takes away empty lines at both ends and all but one of those that follow each other.
func withoutEmptyLines(content []byte) []byte {
	tokens, _ := hclsyntax.LexConfig(content, "", hcl.InitialPos)
	var out bytes.Buffer
	copied, breaks := 0, 2
	for _, t := range tokens {
		switch {
		case t.Type == hclsyntax.TokenNewline && breaks == 2:
			copied = t.Range.End.Byte
			continue
		case t.Type == hclsyntax.TokenNewline:
			breaks++
		case t.Type == hclsyntax.TokenOBrace: // no empty line follows it
			breaks = 1
		case t.Type == hclsyntax.TokenComment && bytes.HasSuffix(t.Bytes, []byte("\n")):
			breaks = 1
		default:
			breaks = 0
		}
		out.Write(content[copied:t.Range.End.Byte])
		copied = t.Range.End.Byte
	}
	trimmed := bytes.TrimRight(out.Bytes(), " \t\r\n")
	if len(trimmed) == 0 {
		return nil
	}
	return append(trimmed, '\n')
}
