package notation

import (
	"errors"
	"time"
)

// SlashDateTime is the layout YYYY/MM/DD HH:mm:ss, which Taiwan's gateways use beside time.DateTime.
const SlashDateTime = "2006/01/02 15:04:05"

// ErrTime says that a time is not written in its layout.
var ErrTime = errors.New("a time is not written in the documented layout")

// UTC8 is eight hours ahead of UTC all year: Taiwan, China, Hong Kong, Singapore. It is fixed, so that a static
// binary needs no time zone data.
func UTC8() *time.Location { return utc8 }

var utc8 = time.FixedZone("UTC+8", 8*60*60)

// LocalTime writes a moment in UTC+8.
func LocalTime(t time.Time, layout string) string { return t.In(utc8).Format(layout) }

// ParseLocalTime reads a time of UTC+8 and returns it in UTC. What would not be written the same again, such as the
// 30th of February or a comma for a fraction, is ErrTime.
func ParseLocalTime(text, layout string) (time.Time, error) {
	t, err := time.ParseInLocation(layout, text, utc8)
	if err != nil || t.Format(layout) != text {
		return time.Time{}, ErrTime
	}
	return t.UTC(), nil
}
