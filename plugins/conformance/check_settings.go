package conformance

import (
	"bytes"
	"encoding/json"
	"errors"
	"sync"

	"github.com/payrack/payrack/plugins/host"
	"github.com/payrack/payrack/plugins/sdk/provider"
)

func settingsChecks() []Check {
	const quiet = "A misspelt member that silently does nothing is found when the first payment goes to the wrong gateway."
	return group(
		"Settings",
		Check{
			ID: "settings-unknown-member", Title: "An unknown member of the settings is refused",
			Proves: "The subject's settings with one more member.", Why: quiet, whole: true, run: checkUnknownSetting,
		},
		Check{
			ID: "settings-no-json", Title: "Settings that are no JSON object are refused",
			Proves: "A text, a list, half an object, two objects.", Why: quiet, whole: true, run: checkSettingsJSON,
		},
		Check{
			ID: "settings-bad-address", Title: "An address that is none is refused",
			Proves: "The subject's settings with ftp://nowhere in the place of the gateway.",
			Why:    "It would be found by the first payment.", whole: true, run: checkBadAddress,
		},
		Check{
			ID: "settings-kept", Title: "After a refusal the settings before go on",
			Proves: "A charge is approved after settings were refused.",
			Why:    "A typing error of an operator must not stop the tills.", whole: true, run: checkSettingsKept,
		},
		Check{
			ID: "settings-again", Title: "The same settings can be given again",
			Proves: "Five times the same, a charge after each; the plugin lets go of the connections of the ones before.",
			Why:    "The platform does so after each change of its configuration.", whole: true, run: checkSettingsAgain,
		},
		Check{
			ID: "settings-moved", Title: "Other settings are used by the next call",
			Proves: "Both environments are led to the other address of the proxy; the next charge arrives there.",
			Why:    "Moving to another gateway must not need a restart.", whole: true, run: checkSettingsMoved,
		},
		Check{
			ID: "settings-under-load", Title: "New settings cost no payment that is under way",
			Proves: "Charges run, four at a time, while the settings are given ten times; all are approved.",
			Why:    "Settings are changed during the day.", whole: true, run: checkSettingsUnderLoad,
		},
	)
}

// refused gives the plugin settings that it has to refuse.
func (t *trial) refused(settings []byte, what string) {
	err := t.main.slot.Reconfigure(t.ctx, settings)
	if err == nil {
		t.failf("%s: accepted", what)
		t.leadBack()
		return
	}
	refused, ok := errors.AsType[*host.Refused](err)
	t.expect(ok && refused.Code == host.CodeUnhealthy, "%s: the plugin did not refuse, it failed: %v", what, err)
}

func checkUnknownSetting(t *trial) {
	settings, err := t.settings(nil)
	if err != nil {
		t.failf("%v", err)
		return
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(settings, &members); err != nil {
		t.failf("the subject's settings are no object: %v", err)
		return
	}
	members["payrack_conformance"] = json.RawMessage("true")
	with, err := json.Marshal(members)
	if err != nil {
		t.failf("%v", err)
		return
	}
	t.refused(with, "an unknown member")
}

func checkSettingsJSON(t *trial) {
	settings, err := t.settings(nil)
	if err != nil {
		t.failf("%v", err)
		return
	}
	t.refused([]byte(`"settings"`), "a text")
	t.refused([]byte(`[]`), "a list")
	t.refused(bytes.TrimRight(settings, "} \n"), "half an object")
	t.refused(append(bytes.Clone(settings), settings...), "two objects")
}

func checkBadAddress(t *trial) {
	bad := map[string]string{"test": "ftp://nowhere", "live": "ftp://nowhere"}
	settings, err := t.settings(bad)
	if err != nil {
		t.failf("%v", err)
		return
	}
	t.refused(settings, "ftp://nowhere")
}

func checkSettingsKept(t *trial) {
	t.refused([]byte(`[]`), "a list")
	a := t.charge(t.order())
	t.expect(a.Outcome() == provider.OutcomeApproved, "a charge after refused settings was answered %s", spell(a))
}

func checkSettingsAgain(t *trial) {
	for range 5 {
		if !t.lead(nil) {
			return
		}
		a := t.charge(t.order())
		t.expect(a.Outcome() == provider.OutcomeApproved, "a charge after the same settings was answered %s", spell(a))
	}
	t.settles("connections of earlier settings", 2, func() int { return int(t.proxy.open.Load()) })
}

func checkSettingsMoved(t *trial) {
	other := t.proxy.urls["live"]
	if !t.lead(map[string]string{"test": other, "live": other}) {
		return
	}
	defer t.leadBack()
	o := t.order()
	from := t.proxy.mark()
	a := t.charge(o)
	t.expect(a.Outcome() == provider.OutcomeApproved, "a charge with other settings was answered %s", spell(a))
	for _, h := range t.proxy.since(from) {
		t.expect(h.door == "live", "a request went to the address of the settings before")
	}
}

func checkSettingsUnderLoad(t *trial) {
	stop := make(chan struct{})
	var tills sync.WaitGroup
	for range 4 {
		tills.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				a := t.charge(t.order())
				t.expect(a.Outcome() == provider.OutcomeApproved, "a charge during new settings was answered %s", spell(a))
			}
		})
	}
	for range 10 {
		t.leadBack()
	}
	close(stop)
	tills.Wait()
}
