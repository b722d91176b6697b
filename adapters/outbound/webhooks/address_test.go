package webhooks_test

import (
	"testing"

	"github.com/payrack/payrack/adapters/outbound/webhooks"
	"github.com/payrack/payrack/core/fault"
)

func TestURLs(t *testing.T) {
	t.Parallel()
	p, dev := webhooks.New(webhooks.Options{}), webhooks.New(webhooks.Options{Loopback: true})
	for url, want := range map[string]struct{ production, development bool }{
		"https://shop.example.com/hooks?x=1":         {true, true},
		"https://shop.example.com:443/":              {true, true},
		"https://xn--fiq228c.example.com/":           {true, true},
		"https://8.8.8.8/":                           {true, true},
		"https://[2606:4700:4700::1111]/":            {true, true},
		"https://shop.example.com./":                 {true, true},
		"http://127.0.0.1:8080/hook":                 {false, true},
		"http://localhost:8080/hook":                 {false, true},
		"https://127.0.0.1/":                         {false, true},
		"https://localhost/":                         {false, true},
		"https://[::1]:8443/":                        {false, true},
		"https://[::ffff:127.0.0.1]/":                {false, true},
		"http://127.8.9.10/":                         {false, true},
		"":                                           {},
		"shop.example.com/hooks":                     {},
		"//shop.example.com/hooks":                   {},
		"https:shop.example.com":                     {},
		"https:///hooks":                             {},
		"https://":                                   {},
		"https://:443/":                              {},
		"http://shop.example.com/":                   {},
		"http://8.8.8.8/":                            {},
		"ftp://shop.example.com/":                    {},
		"file:///etc/passwd":                         {},
		"gopher://shop.example.com:70/_GET":          {},
		"unix:///var/run/docker.sock":                {},
		"javascript:alert(1)":                        {},
		"https://user@shop.example.com/":             {},
		"https://user:password@shop.example.com/":    {},
		"https://shop.example.com@169.254.169.254/":  {},
		"https://169.254.169.254#@shop.example.com/": {},
		"https://shop.example.com/#a":                {},
		"https://shop.example.com/#":                 {},
		"https://shop.example.com:22/":               {},
		"https://shop.example.com:8443/":             {},
		"https://shop.example.com:80443/":            {},
		"https://0/":                                 {},
		"https://0.0.0.0/":                           {},
		"https://127.1/":                             {},
		"https://0x7f.1/":                            {},
		"https://0x7f000001/":                        {},
		"https://2130706433/":                        {},
		"https://017700000001/":                      {},
		"https://0177.0.0.1/":                        {},
		"https://10.0.0.1/":                          {},
		"https://172.16.0.1/":                        {},
		"https://192.168.1.1/":                       {},
		"https://100.64.0.1/":                        {},
		"https://100.100.100.200/latest/meta-data/":  {},
		"https://169.254.169.254/latest/meta-data/":  {},
		"https://168.63.129.16/":                     {},
		"https://192.0.0.192/":                       {},
		"https://198.18.0.1/":                        {},
		"https://224.0.0.1/":                         {},
		"https://255.255.255.255/":                   {},
		"https://240.0.0.1/":                         {},
		"https://[::]/":                              {},
		"https://[::ffff:10.0.0.1]/":                 {},
		"https://[::ffff:a9fe:a9fe]/":                {},
		"https://[fe80::1]/":                         {},
		"https://[fe80::1%25eth0]/":                  {},
		"https://[fd00:ec2::254]/":                   {},
		"https://[fec0::1]/":                         {},
		"https://[ff02::1]/":                         {},
		"https://[64:ff9b::a9fe:a9fe]/":              {},
		"https://[2002:7f00:1::]/":                   {},
		"https://[2001:0:a9fe:a9fe::]/":              {},
		"https://[2001:db8::1]/":                     {},
		"https://[::127.0.0.1]/":                     {},
		"https://[4000::1]/":                         {},
		"https://[shop.example.com]/":                {},
		"https://[shop.example.com]:443/":            {},
		"https://metadata/":                          {},
		"https://metadata.google.internal/":          {},
		"https://printer.local/":                     {},
		"https://db.corp/":                           {},
		"https://foo.localhost/":                     {},
		"https://商店.example.com/":                    {},
		"https://ｅxample.com/":                       {},
		"https://shop。example.com/":                  {},
		"https://shop_1.example.com/":                {},
		"https://-shop.example.com/":                 {},
		"https://shop..example.com/":                 {},
		"https://shop.example.com%2f.evil.com/":      {},
		"https://shop.example.com\\@10.0.0.1/":       {},
	} {
		for _, c := range []struct {
			in     *webhooks.Poster
			name   string
			wanted bool
		}{{p, "production", want.production}, {dev, "development", want.development}} {
			err := c.in.Allowed(url)
			if (err == nil) != c.wanted {
				t.Errorf("in %s %q: %v", c.name, url, err)
			}
			if err != nil && (fault.KindOf(err) != fault.Invalid || fault.CodeOf(err) != "webhook_url") {
				t.Errorf("%q: %v", url, err)
			}
		}
	}
}

func TestDialledAddresses(t *testing.T) {
	t.Parallel()
	p, dev := webhooks.New(webhooks.Options{}), webhooks.New(webhooks.Options{Loopback: true})
	for address, want := range map[string]bool{
		"8.8.8.8:443": true, "[2606:4700:4700::1111]:443": true, "[::ffff:8.8.8.8]:443": true, "172.15.255.255:443": true,
		"127.0.0.1:443": false, "127.255.255.254:443": false, "[::1]:443": false, "0.0.0.0:443": false, "[::]:443": false,
		"10.255.255.255:443": false, "172.31.255.255:443": false, "192.168.0.1:443": false, "169.254.169.254:80": false,
		"100.127.255.255:443": false, "[::ffff:127.0.0.1]:443": false, "[::ffff:169.254.169.254]:443": false,
		"[fe80::1%lo]:443": false, "[fd12::1]:443": false, "[ff0e::1]:443": false, "[64:ff9b::7f00:1]:443": false,
		"[2002:a00:1::1]:443": false, "[2001::1]:443": false, "224.0.0.251:443": false, "255.255.255.255:443": false,
		"shop.example.com:443": false, "": false,
	} {
		if webhooks.May(p, address) != want {
			t.Errorf("may dial %s: %v", address, !want)
		}
	}
	if !webhooks.May(dev, "127.0.0.1:8080") || !webhooks.May(dev, "[::1]:8080") || webhooks.May(dev, "10.0.0.1:8080") {
		t.Error("development reaches this machine and nothing else that is not public")
	}
}
