package linepay_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The tables of return codes in both languages say what the documents say, and the same.
func TestCodesInTheREADME(t *testing.T) {
	t.Parallel()
	rows := map[string]string{"FAIL": "1101", "CONFIG": "1104", "BUG": "1124", "DONE": "1152", "UNKNOWN": "1145", "RETRY": "1900", "QUERY": "1150"}
	code := regexp.MustCompile(`\b([0-9]{4})(†?)`)
	for _, name := range []string{"README.md", "README.zh-TW.md"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for class, begins := range rows {
			var want, got []string
			for c, d := range readCodes(t) {
				if d.class == class {
					if slices.Contains(d.deviations, "regkey=dead") {
						c += "†"
					}
					want = append(want, c)
				}
			}
			for line := range strings.Lines(string(text)) {
				if cells := strings.Split(line, "|"); len(cells) == 5 && strings.HasPrefix(strings.TrimSpace(cells[2]), begins) {
					got = code.FindAllString(cells[2], -1)
				}
			}
			slices.Sort(want)
			slices.Sort(got)
			if !slices.Equal(want, got) {
				t.Errorf("%s, %s:\ngot  %v\nwant %v", name, class, got, want)
			}
		}
	}
}
