package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/payrack/payrack/adapters/outbound/tokens"
	"github.com/payrack/payrack/core/access"
	"github.com/payrack/payrack/core/catalogue"
	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/credential"
	"github.com/payrack/payrack/core/directory"
	"github.com/payrack/payrack/plugins/sandbox"
	"github.com/payrack/payrack/plugins/sandbox/dialects"
	"github.com/payrack/payrack/ports/inbound"
)

// What a development installation holds.
const (
	devCompany = company.ID("dev")
	// devStore has credentials of its own for every payment type, devBareStore has none.
	devStore     = company.StoreID("1")
	devBareStore = company.StoreID("2")
	// devAdminLife is the life of the admin token of a development start.
	devAdminLife = 30 * 24 * time.Hour
)

// The labels of the sandbox's development accounts.
const (
	labelStore   = "store"
	labelCompany = "company"
)

// devClient is the OAuth client of a development folder. The directory keeps a hash of the secret only.
type devClient struct {
	ID     string `json:"client_id"`
	Secret string `json:"client_secret"`
}

// furnish makes sure that the company, its stores, credentials and client are there, and tells about them.
func (p *Platform) furnish(ctx context.Context, data, sandboxURL string) (devFile, error) {
	now, err := p.Core.Directory().Snapshot(ctx)
	if err != nil {
		return devFile{}, fmt.Errorf("read the directory: %w", err)
	}
	if err := p.furnishCompany(ctx, now); err != nil {
		return devFile{}, err
	}
	client, err := p.furnishClient(ctx, now, filepath.Join(data, "keys", "dev-client.json"))
	if err != nil {
		return devFile{}, err
	}
	told := devFile{
		ClientID: client.ID, ClientSecret: client.Secret, CompanyID: string(devCompany), StoreID: string(devStore),
		StoreIDWithoutCredentials: string(devBareStore), Providers: map[string]map[string]string{},
	}
	for _, d := range dialects.All() {
		shown, err := p.furnishProvider(ctx, now, d, &caller{base: sandboxURL})
		if err != nil {
			return devFile{}, fmt.Errorf("set up %s: %w", d.Name, err)
		}
		if shown != nil {
			told.Providers[d.Name] = shown
		}
	}
	told.AdminToken, err = adminToken(ctx, p.Keys.Signer, "dev-admin", devAdminLife)
	return told, err
}

func (p *Platform) furnishCompany(ctx context.Context, now directory.Snapshot) error {
	d := p.Core.Directory()
	if !slices.ContainsFunc(now.Companies, func(c company.Company) bool { return c.ID == devCompany }) {
		if _, err := d.AddCompany(ctx, inbound.AddCompany{ID: devCompany, Name: "Development company"}); err != nil {
			return fmt.Errorf("add the company: %w", err)
		}
	}
	for id, name := range map[company.StoreID]string{devStore: "Store with credentials", devBareStore: "Store without credentials"} {
		if slices.ContainsFunc(now.Stores, func(s company.Store) bool { return s.Company == devCompany && s.ID == id }) {
			continue
		}
		if _, err := d.AddStore(ctx, inbound.AddStore{Company: devCompany, ID: id, Name: name}); err != nil {
			return fmt.Errorf("add store %s: %w", id, err)
		}
	}
	return nil
}

// furnishClient takes the client of an earlier start, or makes one.
func (p *Platform) furnishClient(ctx context.Context, now directory.Snapshot, path string) (devClient, error) {
	var client devClient
	kept, err := os.ReadFile(path) //nolint:gosec // a file of the data folder
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return client, fmt.Errorf("read the development client: %w", err)
	}
	if err == nil {
		if err := json.Unmarshal(kept, &client); err != nil {
			return client, fmt.Errorf("read %s: %w; remove the file to get a new client", path, err)
		}
		if slices.ContainsFunc(now.Clients, func(c access.Client) bool { return c.ID == client.ID && !c.Disabled }) {
			return client, nil
		}
	}
	made, secret, err := p.Core.Directory().AddClient(ctx, inbound.AddClient{
		Company: devCompany, Name: "Development client", Scopes: []access.Scope{access.Pay, access.Search, access.Refund},
		Environments: []company.Environment{company.Live, company.Test},
	})
	if err != nil {
		return client, fmt.Errorf("add the client: %w", err)
	}
	client = devClient{made.ID, secret}
	text, err := json.Marshal(client) //nolint:gosec // the file is what keeps the secret, for its owner only
	if err != nil {
		return client, fmt.Errorf("keep the client: %w", err)
	}
	return client, replaceFile(path, append(text, '\n'))
}

// furnishProvider stores the credentials of the sandbox's accounts, for both environments, and returns what
// may be shown of the store's account. A provider whose plugin is not installed is left out.
func (p *Platform) furnishProvider(ctx context.Context, now directory.Snapshot, d sandbox.Dialect, box *caller) (map[string]string, error) {
	var shown map[string]string
	// Only the labels of these count; the sandbox keeps the accounts.
	for _, o := range d.Accounts(rand.Reader) {
		store := company.OwnStore
		switch o.Label {
		case labelStore:
			store = devStore
		case labelCompany:
		default:
			continue
		}
		var a sandbox.Account
		if err := box.ask(ctx, http.MethodPost, "/_sandbox/accounts", map[string]string{"provider": d.Name, "label": o.Label}, &a); err != nil {
			return nil, fmt.Errorf("open its account %q: %w", o.Label, err)
		}
		served, err := p.furnishAccount(ctx, now, store, a)
		if err != nil {
			return nil, err
		}
		if served && (shown == nil || o.Label == labelStore) {
			shown = a.Public
		}
	}
	return shown, nil
}

// furnishAccount stores the set of an account for each of its payment types, unless it is there already.
func (p *Platform) furnishAccount(ctx context.Context, now directory.Snapshot, store company.StoreID, a sandbox.Account) (served bool, err error) {
	known := p.Core.Catalogue().All()
	for _, name := range a.Types {
		i := slices.IndexFunc(known, func(t catalogue.Type) bool { return t.Name == name })
		if i < 0 {
			continue
		}
		served = true
		name := accountName(a.Credential, known[i].AccountMember)
		for _, e := range []company.Environment{company.Live, company.Test} {
			there := func(c credential.Credential) bool {
				return c.Company == devCompany && c.Store == store && c.Type == known[i].Name && c.Environment == e && c.Account == name
			}
			if slices.ContainsFunc(now.Credentials, there) {
				continue
			}
			if _, err := p.Core.Directory().PutCredential(ctx, inbound.PutCredential{
				Company: devCompany, Store: store, Type: known[i].Name, Environment: e, Set: a.Credential,
			}); err != nil {
				return served, fmt.Errorf("store credentials of %s: %w", known[i].Name, err)
			}
		}
	}
	return served, nil
}

func accountName(set json.RawMessage, member string) string {
	var members map[string]any
	decoder := json.NewDecoder(bytes.NewReader(set))
	decoder.UseNumber()
	if err := decoder.Decode(&members); err != nil {
		return ""
	}
	return fmt.Sprint(members[member])
}

// devSettings lead every plugin that the sandbox plays to it, and the named ones to their own gateway. A provider that the
// sandbox does not play gets the settings that the SDK and its scaffold use for addresses.
func devSettings(sandboxURL string, gateways map[string]string) (map[string]json.RawMessage, error) {
	all := map[string]json.RawMessage{}
	for name, address := range gateways {
		settings, err := json.Marshal(map[string]any{"endpoints": map[string]string{"live": address, "test": address}})
		if err != nil {
			return nil, fmt.Errorf("lead %s to its gateway: %w", name, err)
		}
		all[name] = settings
	}
	for _, d := range dialects.All() {
		all[d.Name] = d.Settings(sandboxURL)
		if address, ok := gateways[d.Name]; ok {
			all[d.Name] = d.GatewaySettings(address)
		}
	}
	return all, nil
}

// unplayed are the providers with a gateway of their own that the sandbox does not know: new ones, or misspelt.
func unplayed(gateways map[string]string) []string {
	names := slices.Sorted(maps.Keys(gateways))
	for _, d := range dialects.All() {
		names = slices.DeleteFunc(names, func(name string) bool { return name == d.Name })
	}
	return names
}

// adminToken signs a token for the admin plane: no company, no other scope.
func adminToken(ctx context.Context, signer *tokens.Tokens, name string, life time.Duration) (string, error) {
	now := time.Now().UTC()
	token, err := signer.Sign(ctx, access.Principal{
		Client: name, Scopes: []access.Scope{access.Admin},
		Environments: []company.Environment{company.Live, company.Test}, Expires: now.Add(life),
	}, now)
	if err != nil {
		return "", fmt.Errorf("sign an admin token: %w", err)
	}
	return token, nil
}
