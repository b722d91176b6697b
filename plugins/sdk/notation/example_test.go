package notation_test

import (
	"fmt"
	"time"

	"github.com/payrack/payrack/plugins/sdk/notation"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

// A gateway wants hundredths of a dollar as a text.
func ExampleScaled() {
	text, err := notation.Scaled(provider.Money{Units: 229, Currency: "TWD"}, 2)
	fmt.Println(text, err)
	back, err := notation.ParseScaled("22900", 2, "TWD", 0)
	fmt.Println(back.Units, err)
	_, err = notation.ParseScaled("22950", 2, "TWD", 0) // half a dollar
	fmt.Println(err)
	// Output:
	// 22900 <nil>
	// 229 <nil>
	// an amount is not a plain number of the charge unit
}

// A gateway wants its own number for every refund: twenty letters and digits.
func ExampleReference() {
	fmt.Println(notation.Reference("019abcde-0000-7000-8000-000000000001", 20))
	// Output: 2PQQQ42UQM9RZ458YBSB
}

func ExampleLocalTime() {
	fmt.Println(notation.LocalTime(time.Date(2023, 10, 10, 17, 44, 54, 0, time.UTC), notation.SlashDateTime))
	// Output: 2023/10/11 01:44:54
}

// The client sees a gateway's answer with one member replaced, and every other byte as it came.
func ExampleObject() {
	o, err := notation.ReadObject([]byte(`{"RtnCode":1,"TotalAmount":"22900","id":2023042201206549310}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(string(o.With("TotalAmount", []byte("229")).Bytes()))
	// Output: {"RtnCode":1,"TotalAmount":229,"id":2023042201206549310}
}
