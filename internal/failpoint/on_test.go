//go:build failpoints

package failpoint

import "testing"

func TestParse(t *testing.T) {
	t.Parallel()
	all, err := parse("answer-read=crash:200ms@2,rules-swapped=error")
	if err != nil || len(all) != 2 || all[AnswerRead].action != "crash" || all[AnswerRead].after.Milliseconds() != 200 {
		t.Fatalf("%v, %v", all, err)
	}
	for n, want := range []bool{false, true, false} {
		if got := all[AnswerRead].now(); got != want {
			t.Errorf("passage %d: %t", n+1, got)
		}
	}
	if !all[RulesSwapped].now() || !all[RulesSwapped].now() {
		t.Error("without a number it is not every passage")
	}
	for _, wrong := range []string{"answer-read", "answer-read=stop", "answer-read=crash@x", "answer-read=sleep:1"} {
		if _, err := parse(wrong); err == nil {
			t.Errorf("%s is taken", wrong)
		}
	}
}
