package phone

import "testing"

func TestNational(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ number, want string }{
		{"3057788996", "3057788996"},
		{"+57 305 778-8996", "3057788996"},
		{"573057788996", "3057788996"},
		{"(601) 345 6789", "6013456789"},
		{"669548354", "669548354"},   // nine digits stay nine
		{"5712345678", "5712345678"}, // ten digits that begin with 57
		{"+1 305 778 8996", "13057788996"},
		{"none", ""},
	} {
		if got := National(tc.number); got != tc.want {
			t.Errorf("%q: %q, want %q", tc.number, got, tc.want)
		}
	}
}
