package scaffold

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/payrack/payrack/plugins/sdk/provider"
)

// FromCurl reads recorded exchanges: what a terminal shows after curl commands with -i, one after the other.
//
//	$ curl -i https://api.example.com/v1/payments -H 'Authorization: Bearer x' -d '{"order_no":"A-1","amount":229}'
//	HTTP/1.1 200 OK
//	Content-Type: application/json
//
//	{"code":"0000","transaction_id":1}
//
// The prompt, headers of the answer and everything else between the exchanges may be there or not; an answer is the
// JSON object after a command. roles are those of FromOpenAPI. No secret of the recording is taken over.
func FromCurl(text []byte, roles map[string]string) (Gateway, error) {
	exchanges, err := readExchanges(text)
	if err != nil {
		return Gateway{}, err
	}
	g := Gateway{Title: "the gateway", Auth: AuthHMAC}
	best := map[provider.Kind]int{}
	for _, e := range exchanges {
		if g.Live == "" {
			g.Live = baseURL(e.url.Scheme + "://" + e.url.Host)
		}
		g.authOfExchange(e)
		kind, score := kindOf(e.method, e.url.Path, "")
		if kind == "" {
			g.note(fmt.Sprintf("The recorded %s %s was not used: nothing says what it does.", e.method, e.url.Path))
			continue
		}
		i := slices.IndexFunc(g.Operations, func(o Operation) bool { return o.Kind == kind })
		switch {
		case i >= 0 && g.Operations[i].same(e): // another answer of the same request, such as a decline
			g.Operations[i].also(e)
		case score > best[kind] && i >= 0:
			g.Operations[i], best[kind] = e.operation(kind), score
		case i < 0:
			g.Operations, best[kind] = append(g.Operations, e.operation(kind)), score
		}
	}
	if g.Auth == AuthHMAC {
		g.note("The recording does not show how requests are signed in a way that the scaffold knows: sign.go has an HMAC-SHA256 that has to be made the gateway's own.")
	}
	g.note("Types and required members were read from single examples: compare schema/ with the gateway's documents.")
	return g, g.complete(roles)
}

type exchange struct {
	method string
	url    *url.URL
	header http.Header
	body   []byte
	status int
	answer []byte
}

func (o *Operation) same(e exchange) bool {
	return o.Method == e.method && o.Path == e.operation(o.Kind).Path
}

// also adds the values of a further answer.
func (o *Operation) also(e exchange) {
	for _, l := range e.operation(o.Kind).Answer {
		i := slices.IndexFunc(o.Answer, func(known Leaf) bool { return known.String() == l.String() })
		if i < 0 {
			o.Answer = append(o.Answer, l)
		} else if l.Example != nil {
			o.Answer[i].Enum = append(o.Answer[i].Enum, fmt.Sprint(l.Example))
		}
	}
	o.addStatus(e.status)
}

func (o *Operation) addStatus(status int) {
	if status >= 400 && status < 500 && status != 401 && status != 403 && status != 429 && !slices.Contains(o.Statuses, status) {
		o.Statuses = append(o.Statuses, status)
	}
}

func (g *Gateway) authOfExchange(e exchange) {
	if g.Auth != AuthHMAC {
		return
	}
	switch scheme, _, _ := strings.Cut(e.header.Get("Authorization"), " "); strings.ToLower(scheme) {
	case "bearer":
		g.Auth = AuthBearer
		return
	case "basic":
		g.Auth = AuthBasic
		return
	}
	for _, name := range sortedNames(e.header) {
		if p := plain(name); strings.HasSuffix(p, "apikey") || strings.HasSuffix(p, "accesskey") || strings.HasSuffix(p, "secretkey") {
			g.Auth, g.AuthHeader = AuthHeaderKey, name
			return
		}
	}
}

func readExchanges(text []byte) ([]exchange, error) {
	joined := strings.ReplaceAll(strings.ReplaceAll(string(text), "\r\n", "\n"), "\\\n", " ")
	var out []exchange
	lines := strings.Split(joined, "\n")
	for i := 0; i < len(lines); i++ {
		command, ok := commandOf(lines[i])
		if !ok {
			continue
		}
		// A quoted body may go over several lines.
		words, err := splitWords(command)
		for ; errors.Is(err, errOpenQuote) && i+1 < len(lines); i++ {
			command += "\n" + lines[i+1]
			words, err = splitWords(command)
		}
		if err != nil {
			return nil, fmt.Errorf("%.60s…: %w", command, err)
		}
		e, err := readCommand(words)
		if err != nil {
			return nil, fmt.Errorf("%.60s…: %w", command, err)
		}
		rest := i + 1
		for rest < len(lines) {
			if _, next := commandOf(lines[rest]); next {
				break
			}
			rest++
		}
		if err := e.readAnswer(strings.Join(lines[i+1:rest], "\n")); err != nil {
			return nil, fmt.Errorf("the answer of %s %s: %w", e.method, e.url.Path, err)
		}
		out = append(out, e)
		i = rest - 1
	}
	if len(out) == 0 {
		return nil, errors.New("the file has no curl command")
	}
	return out, nil
}

func commandOf(line string) (string, bool) {
	line = strings.TrimLeft(strings.TrimSpace(line), "$#% ")
	return line, strings.HasPrefix(line, "curl ")
}

var errOpenQuote = errors.New("a quotation does not end")

// splitWords splits a command as a shell does, without any of its expansions.
func splitWords(command string) ([]string, error) {
	var words []string
	var word strings.Builder
	inWord, quote := false, byte(0)
	for i := 0; i < len(command); i++ {
		c := command[i]
		switch {
		case quote == '\'' && c != '\'', quote == '"' && c != '"' && c != '\\':
			word.WriteByte(c)
		case quote != 0 && c == quote:
			quote = 0
		case c == '\\' && i+1 < len(command):
			i++
			word.WriteByte(command[i])
			inWord = true
		case c == '\'' || c == '"':
			quote, inWord = c, true
		case c == ' ' || c == '\t' || c == '\n':
			if inWord {
				words = append(words, word.String())
				word.Reset()
			}
			inWord = false
		default:
			word.WriteByte(c)
			inWord = true
		}
	}
	if quote != 0 {
		return nil, errOpenQuote
	}
	if inWord {
		words = append(words, word.String())
	}
	return words, nil
}

// flagsWithValue are curl's flags whose value says nothing here.
var flagsWithValue = []string{"-o", "--output", "-m", "--max-time", "--connect-timeout", "-A", "--user-agent", "--cacert", "--cert", "--key", "-w", "--write-out", "--retry"}

func readCommand(words []string) (exchange, error) {
	e := exchange{header: http.Header{}}
	asQuery, address := false, ""
	var data []string
	for i := 1; i < len(words); i++ {
		flag, value, joined := strings.Cut(words[i], "=")
		if !joined || !strings.HasPrefix(flag, "--") {
			flag, value = words[i], ""
		}
		next := func() string {
			if value == "" && i+1 < len(words) {
				i++
				return words[i]
			}
			return value
		}
		switch {
		case flag == "-X" || flag == "--request":
			e.method = next()
		case strings.HasPrefix(flag, "-X") && len(flag) > 2:
			e.method = flag[2:]
		case flag == "-H" || flag == "--header":
			name, value, _ := strings.Cut(next(), ":")
			e.header.Add(strings.TrimSpace(name), strings.TrimSpace(value))
		case flag == "-d" || flag == "--data" || flag == "--data-raw" || flag == "--data-binary" || flag == "--json" || flag == "--data-urlencode":
			data = append(data, next())
		case flag == "-u" || flag == "--user":
			e.header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(next())))
		case flag == "-G" || flag == "--get":
			asQuery = true
		case flag == "--url":
			address = next()
		case slices.Contains(flagsWithValue, flag):
			_ = next()
		case strings.HasPrefix(flag, "-"):
		default:
			address = words[i]
		}
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return exchange{}, errors.New("the command has no address with a host")
	}
	e.url = u
	if asQuery {
		u.RawQuery = strings.Trim(u.RawQuery+"&"+strings.Join(data, "&"), "&")
	} else {
		e.body = []byte(strings.Join(data, "&"))
	}
	if e.method == "" {
		e.method = http.MethodGet
		if len(e.body) > 0 {
			e.method = http.MethodPost
		}
	}
	return e, nil
}

func (e *exchange) readAnswer(text string) error {
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		if fields := strings.Fields(lines.Text()); len(fields) > 1 && strings.HasPrefix(fields[0], "HTTP/") {
			e.status, _ = strconv.Atoi(fields[1])
		}
	}
	start := strings.IndexByte(text, '{')
	if start < 0 {
		return errors.New("there is no JSON object after the command")
	}
	var raw json.RawMessage
	if err := json.NewDecoder(strings.NewReader(text[start:])).Decode(&raw); err != nil {
		return errors.New("it is no JSON object")
	}
	e.answer = raw
	return nil
}

// operation describes the request and the answer by the one example that there is.
func (e *exchange) operation(kind provider.Kind) Operation {
	o := Operation{Kind: kind, Method: e.method, Path: e.url.Path}
	query := e.url.Query()
	for _, name := range sortedNames(query) {
		o.Request = append(o.Request, Member{Name: name, In: inQuery, Type: "string", Required: true, Schema: map[string]any{"type": "string"}})
	}
	// A segment with digits in it is an id.
	segments := strings.Split(o.Path, "/")
	for i, s := range segments {
		if i > 1 && strings.ContainsAny(s, "0123456789") && len(s) > 4 {
			name := "transaction_id"
			if strings.Contains(segments[i-1], "order") {
				name = "order_id"
			}
			segments[i] = "{" + name + "}"
			o.Request = append(o.Request, Member{Name: name, In: inPath, Type: "string", Required: true, Schema: map[string]any{"type": "string"}})
			break
		}
	}
	o.Path = strings.Join(segments, "/")
	for _, l := range leavesOf(e.body, nil) {
		m := Member{Name: l.Path[0].Name, In: inBody, Type: l.Type, Required: true, Schema: map[string]any{"type": l.Type}}
		if text, ok := l.Example.(string); ok && len(l.Path) == 1 {
			if _, currency := exponents[text]; currency {
				m.Schema["enum"] = []any{text}
			}
		}
		if len(l.Path) > 1 || l.Type == "array" {
			m.Type, m.Schema = "object", map[string]any{}
		}
		if !slices.ContainsFunc(o.Request, func(known Member) bool { return known.In == inBody && known.Name == m.Name }) {
			o.Request = append(o.Request, m)
		}
	}
	o.Answer = leavesOf(e.answer, nil)
	o.addStatus(e.status)
	return o
}

// leavesOf lists the values of a JSON object in their order.
func leavesOf(raw []byte, at []Step) []Leaf {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil
	}
	var out []Leaf
	for d.More() {
		token, err := d.Token()
		name, ok := token.(string)
		var value json.RawMessage
		if err != nil || !ok || d.Decode(&value) != nil {
			return out
		}
		out = append(out, leafOf(append(slices.Clone(at), Step{Name: name}), value)...)
	}
	return out
}

func leafOf(path []Step, value json.RawMessage) []Leaf {
	switch value[0] {
	case '{':
		if inner := leavesOf(value, path); len(inner) > 0 {
			return inner
		}
		return []Leaf{{Path: path, Type: "object"}}
	case '[':
		path[len(path)-1].List = true
		var items []json.RawMessage
		if err := json.Unmarshal(value, &items); err == nil && len(items) > 0 && items[0][0] == '{' && !slices.ContainsFunc(path[:len(path)-1], func(s Step) bool { return s.List }) {
			return leavesOf(items[0], path)
		}
		return []Leaf{{Path: path, Type: "array"}}
	case '"':
		var text string
		_ = json.Unmarshal(value, &text)
		return []Leaf{{Path: path, Type: "string", Example: text}}
	case 't', 'f':
		return []Leaf{{Path: path, Type: "boolean", Example: value[0] == 't'}}
	case 'n':
		return []Leaf{{Path: path, Type: "null"}}
	default:
		kind := "integer"
		if bytes.ContainsAny(value, ".eE") {
			kind = "number"
		}
		return []Leaf{{Path: path, Type: kind, Example: json.Number(value)}}
	}
}
