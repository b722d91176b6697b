package failpoint_test

import (
	"testing"

	"github.com/payrack/payrack/core/failpoint"
)

// In a build without the tag the points are passed. With the tag this test would pass too: nothing is armed.
func TestPointsThatAreNotArmedArePassed(t *testing.T) {
	t.Parallel()
	failpoint.Hit("a")
	failpoint.During("c")
}
