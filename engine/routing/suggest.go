package routing

import (
	"fmt"
	"strings"
)

// didYouMean returns a sentence that names the candidate closest to a name that does not exist, or "".
func didYouMean(name string, candidates []string) string {
	best := closest(name, candidates)
	if best == "" {
		return ""
	}
	return fmt.Sprintf("Did you mean %q?", best)
}

// closest returns the candidate closest to a name that does not exist, or "".
func closest(name string, candidates []string) string {
	best, distance := "", 1+min(2, len(name)/3)
	// The bounds keep a file full of mistakes from costing the square of its length.
	if len(name) > 100 {
		return ""
	}
	for _, c := range candidates[:min(len(candidates), 1000)] {
		if strings.EqualFold(c, name) {
			best = c
			break
		}
		if d := editDistance(name, c, distance); d < distance {
			best, distance = c, d
		}
	}
	return best
}

// editDistance is Levenshtein's, in bytes, with two neighbours swapped counting as one edit. Where it is limit or more it
// need not be exact: places that far apart are not compared.
func editDistance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		from, to := max(1, i-limit+1), min(len(b), i+limit-1)
		row[from-1] = limit
		if from == 1 {
			row[0] = i
		}
		for j := from; j <= to; j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		if to < len(b) {
			row[to+1] = limit
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

// oneOf lists names for a person: "a, b or c".
func oneOf(names []string) string {
	switch len(names) {
	case 0:
		return "none"
	case 1:
		return names[0]
	}
	return strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
}

// unknown says what a name that does not exist could be.
func unknown(name string, known []string) string {
	if s := didYouMean(name, known); s != "" {
		return s
	}
	if len(known) == 0 {
		return "There is none."
	}
	return "It can be " + someOf(known) + "."
}

// someOf is oneOf for a list that may be long.
func someOf(names []string) string {
	const most = 20
	if len(names) <= most {
		return oneOf(names)
	}
	return strings.Join(names[:most], ", ") + " and so on"
}
