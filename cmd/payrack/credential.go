package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/payrack/payrack/adapters/outbound/providers/form"
	"github.com/payrack/payrack/core/fault"
)

// maxSet bounds what is read of a credential set or of one member of it, in bytes.
const maxSet = 64 << 10

func (c *cli) credentialCommand() *cobra.Command {
	r := resource{
		name: "credential", plural: "credentials", short: "Provider accounts of companies and stores",
		columns: []column{
			{"company", "company_id"},
			{"store", "store_id"},
			{"type", "type"},
			{"environment", "environment"},
			{"account", "account"},
			{"wire", "wire"},
			{"revision", "revision"},
			{"disabled", "disabled"},
			{"updated at", "updated_at"},
			{"id", "id"},
		},
		switches: []toggle{
			{
				use: "disable", short: "Start no payment with a set any more, as long as it is switched off", member: "disabled", value: true,
				said: "new payments with it are refused, and not taken to another account; what was paid with it is still asked about and refunded",
			},
			{
				use: "enable", short: "Start payments with a set again", member: "disabled", value: false,
				said: "new payments are made with it again",
			},
		},
	}
	group := r.group()
	group.AddCommand(c.credentialAddCommand(r.columns), c.listCommand(r))
	c.addSwitches(group, r)
	return group
}

// credentialOptions are the flags of credential add.
type credentialOptions struct {
	at                                     adminFlags
	company, store, kind, environment, set string
}

func (c *cli) credentialAddCommand(columns []column) *cobra.Command {
	var o credentialOptions
	cmd := &cobra.Command{
		Use:   "add [MEMBER=VALUE | MEMBER=@FILE]…",
		Short: "Add the credential set of a store or company, or rotate the one that is there",
		Long: "Add the credential set of a store or company, or rotate the one that is there.\n" +
			"What a set holds is the payment type's own matter: on a terminal its members are asked for in order, secrets\n" +
			"without echo. Scripts give the set as a JSON object with --set or on stdin, or its members behind the flags:\n" +
			"MEMBER=VALUE, MEMBER=@FILE for what a file holds, MEMBER=@@TEXT for a text that begins with @. Then only what is\n" +
			"required and not given is asked for.\n" +
			"A secret is never a word of the command line, which everybody on the machine can read.",
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.addCredential(cmd, o, args, columns)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.company, "company", "", "company id")
	f.StringVar(&o.store, "store", "0", "store; 0 is the company's own set")
	f.StringVar(&o.kind, "type", "", "payment type, as payrack plugin list shows them")
	f.StringVar(&o.environment, "environment", "", "live or test")
	f.StringVar(&o.set, "set", "", "file with the set as a JSON object; - is stdin, so that it is in no history")
	f.StringVar(&o.set, "file", "", "the former name of --set")
	_ = f.MarkHidden("file")
	o.at.add(cmd)
	completeTypes(cmd, o.at.plane)
	return cmd
}

func (c *cli) addCredential(cmd *cobra.Command, o credentialOptions, args []string, columns []column) error {
	if err := required([2]string{"company", o.company}, [2]string{"type", o.kind}, [2]string{"environment", o.environment}); err != nil {
		return err
	}
	plane, err := o.at.plane()
	if err != nil {
		return err
	}
	described, err := paymentTypeOf(cmd.Context(), plane, o.kind)
	if err != nil {
		return err
	}
	asked, err := newQuestions(described)
	if err != nil {
		return err
	}
	person, atTerminal := terminalOf(cmd.InOrStdin(), c.errOut)
	if err := asked.given(cmd.InOrStdin(), o.set, args, atTerminal); err != nil {
		return err
	}
	if atTerminal && o.set == "" {
		// A script that is started on a terminal and gave what it wanted to give is not asked for the rest.
		if err := asked.ask(cmd.Context(), person, len(args) == 0); err != nil {
			return err
		}
	}
	set, err := asked.checked()
	if err != nil {
		return err
	}
	var made map[string]any
	if err := plane.ask(cmd.Context(), http.MethodPost, "/admin/v1/credentials", map[string]any{
		"company_id": o.company, "store_id": o.store, "type": o.kind, "environment": o.environment, "set": set,
	}, &made); err != nil {
		return err
	}
	if err := c.show([]map[string]any{made}, made, columns); err != nil {
		return err
	}
	if made["disabled"] == true {
		c.say("this set is switched off and stays so: payrack credential enable %v starts payments with it again", made["id"])
	}
	return nil
}

// paymentType is a payment type as the admin plane tells it.
type paymentType struct {
	Type             string          `json:"type"`
	Provider         string          `json:"provider"`
	Version          string          `json:"version"`
	CredentialSchema json.RawMessage `json:"credential_schema"`
}

func paymentTypes(ctx context.Context, plane *caller) ([]paymentType, error) {
	var got struct {
		Types []paymentType `json:"types"`
	}
	err := plane.ask(ctx, http.MethodGet, "/admin/v1/types", nil, &got)
	return got.Types, err
}

func paymentTypeOf(ctx context.Context, plane *caller, name string) (paymentType, error) {
	all, err := paymentTypes(ctx, plane)
	if err != nil {
		return paymentType{}, err
	}
	names := make([]string, len(all))
	for i, t := range all {
		if t.Type == name {
			return t, nil
		}
		names[i] = t.Type
	}
	return paymentType{}, refusedf("no installed provider has the payment type %q; there are: %s", name, dash(strings.Join(names, " ")))
}

// completeTypes offers the installed payment types to the shell.
func completeTypes(cmd *cobra.Command, admin func() (*caller, error)) {
	_ = cmd.RegisterFlagCompletionFunc("type", func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		var names []string
		if plane, err := admin(); err == nil {
			all, _ := paymentTypes(cmd.Context(), plane) // nothing to offer is no failure
			for _, t := range all {
				names = append(names, t.Type)
			}
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	})
}

// questions are what a credential set must answer, and the answers so far.
type questions struct {
	kind    paymentType
	title   string
	members []setMember
	check   *form.Credential
	answers map[string]json.RawMessage
}

func newQuestions(t paymentType) (*questions, error) {
	check, err := form.CompileCredential(t.CredentialSchema)
	if err != nil {
		return nil, fmt.Errorf("the credential schema of %s cannot be read: %w", t.Type, err)
	}
	title, members, err := readCredentialSchema(t.CredentialSchema)
	if err != nil {
		return nil, fmt.Errorf("the credential schema of %s cannot be read: %w", t.Type, err)
	}
	return &questions{kind: t, title: title, members: members, check: check, answers: map[string]json.RawMessage{}}, nil
}

// given takes what needs no question: the set, from a file or from a stdin that is no terminal, and single members.
func (q *questions) given(stdin io.Reader, file string, args []string, atTerminal bool) error {
	if file == "" && len(args) == 0 && !atTerminal {
		file = "-"
	}
	if file != "" {
		text, err := readSet(stdin, file)
		if err != nil {
			return err
		}
		if json.Unmarshal(text, &q.answers) != nil || q.answers == nil {
			return usagef("the credential set is no JSON object")
		}
		if len(args) == 0 {
			return q.asWritten(text)
		}
	}
	for _, arg := range args {
		name, text, ok := strings.Cut(arg, "=")
		if !ok || name == "" {
			return usagef("write a member as MEMBER=VALUE or MEMBER=@FILE; the members of %s are %s", q.kind.Type, q.names())
		}
		if err := q.take(name, text); err != nil {
			return err
		}
	}
	return nil
}

// asWritten checks a whole set in the text that it was written in: a member that stands there twice must not pass.
func (q *questions) asWritten(text []byte) error {
	if _, err := q.check.Read(text); err != nil {
		return q.wrong(err)
	}
	return nil
}

// take takes one member of the command line.
func (q *questions) take(name, text string) error {
	m := q.member(name)
	if m == nil {
		return usagef("%s has no member %q in its credential set; there are %s", q.kind.Type, name, q.names())
	}
	rest, marked := strings.CutPrefix(text, "@")
	literal := !marked || strings.HasPrefix(rest, "@")
	switch {
	case literal && m.secret:
		return usagef("%s is secret, and everybody on this machine can read a command line: write %s=@FILE, or leave it out and be asked", name, name)
	case literal && marked:
		text = rest
	case marked:
		content, err := readValue(rest)
		if err != nil {
			return err
		}
		text = content
	}
	value, err := m.value(text)
	if err != nil {
		return usagef("%s %w", name, err)
	}
	q.answers[m.name] = value
	return nil
}

// member finds a member by its name or by another spelling of it.
func (q *questions) member(name string) *setMember {
	for i := range q.members {
		if q.members[i].called(name) {
			return &q.members[i]
		}
	}
	return nil
}

func (q *questions) names() string {
	names := make([]string, len(q.members))
	for i, m := range q.members {
		names[i] = m.name
	}
	return strings.Join(names, ", ")
}

// checked is the set, if nothing is wrong with it. The server checks it again.
func (q *questions) checked() (json.RawMessage, error) {
	set, err := json.Marshal(q.answers)
	if err != nil {
		return nil, fmt.Errorf("write the credential set: %w", err)
	}
	if _, err := q.check.Read(set); err != nil {
		return nil, q.wrong(err)
	}
	return set, nil
}

// wrong names every wrong member, with what the provider says about it.
func (q *questions) wrong(err error) error {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || len(f.Fields) == 0 {
		return err
	}
	var lines strings.Builder
	for _, field := range f.Fields {
		name := strings.TrimPrefix(strings.TrimPrefix(field.Pointer, form.CredentialPointer), "/")
		lines.WriteString("\n  " + dash(name) + ": " + field.Code)
		if field.Detail != "" {
			lines.WriteString(", " + field.Detail)
		}
		if m := q.member(name); m != nil && m.description != "" {
			lines.WriteString(" (" + m.description + ")")
		}
	}
	return refusedf("the credential set does not fit %s; nothing was stored:%s", q.kind.Type, lines.String())
}

// readSet reads a credential set. Its text appears in no error.
func readSet(stdin io.Reader, file string) ([]byte, error) {
	var (
		text []byte
		err  error
	)
	if file == "-" {
		text, err = io.ReadAll(io.LimitReader(stdin, maxSet))
	} else {
		text, err = os.ReadFile(file) //nolint:gosec // the operator names the file
	}
	if err != nil {
		return nil, fmt.Errorf("read the credential set: %w", err)
	}
	if !json.Valid(text) {
		return nil, usagef("the credential set is no JSON object")
	}
	return text, nil
}

// readValue reads a member from a file: its text without the end of the last line.
func readValue(path string) (string, error) {
	text, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return "", fmt.Errorf("read a member of the credential set: %w", err)
	}
	if len(text) > maxSet {
		return "", usagef("%s is longer than %d KiB", path, maxSet>>10)
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r"), nil
}
