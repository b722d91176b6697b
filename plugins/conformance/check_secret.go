package conformance

func secretChecks() []Check {
	const leak = "Logs, traces and databases are read by many, copied to other systems and kept for years."
	return group(
		"Secrets",
		Check{
			ID: "secret-control", Title: "The search for secrets finds what is there",
			Proves: "The kit looks for a text that the host itself has logged, with the search that the next checks use.",
			Why:    "A search that finds nothing because it looks nowhere would pass everything.", whole: true, run: checkControl,
		},
		Check{
			ID: "secret-log", Title: "No secret stands in a log line",
			Proves: "All that the plugin wrote during all checks, at level debug: no secret credential member and no one-time code, in clear, base64, hex or percent-encoded.",
			Why:    leak, whole: true, run: secretIn(fromLog),
		},
		Check{
			ID: "secret-answer", Title: "No secret stands in an answer or an error",
			Proves: "All native bodies, codes and details of all answers, the failures included.", Why: leak, whole: true, run: secretIn(fromAnswer),
		},
		Check{
			ID: "secret-span", Title: "No secret stands in a span",
			Proves: "All spans that the plugin streamed.", Why: leak, whole: true, run: secretIn(fromSpan),
		},
		Check{
			ID: "secret-url", Title: "No secret stands in a URL",
			Proves: "The request lines of everything that the gateway got.",
			Why:    "URLs stand in the access logs of every proxy on the way.", whole: true, run: checkURLs,
		},
	)
}

func checkControl(t *trial) {
	t.expect(len(t.secrets.all()) > 0, "the subject's credential and code shapes hold no secret: mark them in the schema and give them random values")
	name := secret{"name", "plugin=" + t.info.Name}
	t.expect(len(t.out.find(fromLog, []secret{name})) == 1, "the host's own log line is not found")
	planted := &collected{}
	value := randomOf("abcdefghijk", 24)
	planted.add(fromLog, "before "+value+" after")
	t.expect(len(planted.find(fromLog, []secret{{"planted", value}})) == 1, "a planted secret is not found")
}

func secretIn(source string) func(*trial) {
	return func(t *trial) {
		for _, s := range t.out.find(source, t.secrets.all()) {
			t.failf("a %s stands in a %s", s.what, source)
		}
	}
}

func checkURLs(t *trial) {
	lines := &collected{}
	for _, h := range t.proxy.since(0) {
		lines.add(fromURL, h.uri)
	}
	for _, s := range lines.find(fromURL, t.secrets.all()) {
		t.failf("a %s stands in a request line", s.what)
	}
}

// fromURL is where request lines come from.
const fromURL = "url"
