package adminapi

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/payrack/payrack/adapters/inbound/internal/httpkit"
	"github.com/payrack/payrack/core/access"
	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/credential"
	"github.com/payrack/payrack/core/directory"
	"github.com/payrack/payrack/ports/inbound"
)

type companyReply struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Suspended bool      `json:"suspended"`
	OnUnknown string    `json:"on_unknown,omitempty"`
	CreatedAt time.Time `json:"created_at"`
}

type storeReply struct {
	CompanyID string    `json:"company_id"`
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	CreatedAt time.Time `json:"created_at"`
}

// credentialReply has no member for the secret: secrets are write-only.
type credentialReply struct {
	ID          string    `json:"id"`
	CompanyID   string    `json:"company_id"`
	StoreID     string    `json:"store_id"`
	Type        string    `json:"type"`
	Provider    string    `json:"provider"`
	Environment string    `json:"environment"`
	Account     string    `json:"account"`
	Wire        string    `json:"wire,omitempty"`
	Revision    int64     `json:"revision"`
	Disabled    bool      `json:"disabled"`
	CreatedAt   time.Time `json:"created_at"`
	UpdatedAt   time.Time `json:"updated_at"`
}

type clientReply struct {
	ID           string    `json:"client_id"`
	CompanyID    string    `json:"company_id"`
	Name         string    `json:"name"`
	Scopes       []string  `json:"scopes"`
	Environments []string  `json:"environments"`
	Disabled     bool      `json:"disabled"`
	CreatedAt    time.Time `json:"created_at"`
}

// newClientReply is the only reply with a client's secret.
type newClientReply struct {
	clientReply
	Secret string `json:"client_secret"`
}

func companyOf(c company.Company) companyReply {
	return companyReply{
		ID: string(c.ID), Name: c.Name, Suspended: c.Suspended, OnUnknown: string(c.OnUnknown), CreatedAt: c.CreatedAt.UTC(),
	}
}

func storeOf(s company.Store) storeReply {
	return storeReply{CompanyID: string(s.Company), ID: string(s.ID), Name: s.Name, CreatedAt: s.CreatedAt.UTC()}
}

func credentialOf(c credential.Credential) credentialReply {
	store := string(c.Store)
	if c.Store == company.OwnStore {
		store = "0"
	}
	return credentialReply{
		ID: string(c.ID), CompanyID: string(c.Company), StoreID: store, Type: c.Type, Provider: c.Provider,
		Environment: string(c.Environment), Account: c.Account, Wire: c.Wire, Revision: c.Revision, Disabled: c.Disabled,
		CreatedAt: c.CreatedAt.UTC(), UpdatedAt: c.UpdatedAt.UTC(),
	}
}

func clientOf(c access.Client) clientReply {
	return clientReply{
		ID: c.ID, CompanyID: string(c.Company), Name: c.Name, Scopes: texts(c.Scopes),
		Environments: texts(c.Environments), Disabled: c.Disabled, CreatedAt: c.CreatedAt.UTC(),
	}
}

func texts[T ~string](all []T) []string {
	out := make([]string, len(all))
	for i, one := range all {
		out[i] = string(one)
	}
	return out
}

func words[T ~string](all []string) []T {
	out := make([]T, len(all))
	for i, one := range all {
		out[i] = T(one)
	}
	return out
}

// list answers a list of the directory, of one company if company_id says so.
func list[T, R any](a *api, c echo.Context, name string, pick func(directory.Snapshot) []T, owner func(T) company.ID, show func(T) R) error {
	values, err := httpkit.ParseQuery(httpkit.Of(c.Request().Context()).Query(), httpkit.Parameter{Name: "company_id"})
	if err != nil {
		return err //nolint:wrapcheck // a fault goes to the client as it is
	}
	snapshot, err := a.Directory.Snapshot(c.Request().Context())
	if err != nil {
		return err //nolint:wrapcheck // a fault of the core goes to the client as it is
	}
	only, filtered := values["company_id"]
	all := make([]R, 0)
	for _, one := range pick(snapshot) {
		if !filtered || owner(one) == company.ID(only) {
			all = append(all, show(one))
		}
	}
	httpkit.WriteJSON(c.Response(), http.StatusOK, map[string]any{name: all, "generation": snapshot.Generation})
	return nil
}

func (a *api) companies(c echo.Context, _ access.Principal) error {
	return list(a, c, "companies", func(s directory.Snapshot) []company.Company { return s.Companies },
		func(c company.Company) company.ID { return c.ID }, companyOf)
}

func (a *api) stores(c echo.Context, _ access.Principal) error {
	return list(a, c, "stores", func(s directory.Snapshot) []company.Store { return s.Stores },
		func(s company.Store) company.ID { return s.Company }, storeOf)
}

func (a *api) credentials(c echo.Context, _ access.Principal) error {
	return list(a, c, "credentials", func(s directory.Snapshot) []credential.Credential { return s.Credentials },
		func(c credential.Credential) company.ID { return c.Company }, credentialOf)
}

func (a *api) clients(c echo.Context, _ access.Principal) error {
	return list(a, c, "clients", func(s directory.Snapshot) []access.Client { return s.Clients },
		func(c access.Client) company.ID { return c.Company }, clientOf)
}

func (a *api) addCompany(c echo.Context, _ access.Principal) error {
	var body struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	}
	if err := read(c, []string{"id", "name"}, &body); err != nil {
		return err
	}
	if err := require([2]string{"name", body.Name}); err != nil {
		return err
	}
	made, err := a.Directory.AddCompany(c.Request().Context(), inbound.AddCompany{ID: company.ID(body.ID), Name: body.Name})
	if err != nil {
		return err //nolint:wrapcheck // a fault of the core goes to the client as it is
	}
	changed(c, string(made.ID))
	httpkit.WriteJSON(c.Response(), http.StatusCreated, companyOf(made))
	return nil
}

// saveCompany changes what is named and leaves the rest. on_unknown "" goes back to the default of the kind of payment.
func (a *api) saveCompany(c echo.Context, _ access.Principal) error {
	var body struct {
		Name      *string            `json:"name"`
		Suspended *bool              `json:"suspended"`
		OnUnknown *company.OnUnknown `json:"on_unknown"`
	}
	if err := read(c, []string{"name", "suspended", "on_unknown"}, &body); err != nil {
		return err
	}
	switch {
	case body.Name == nil && body.Suspended == nil && body.OnUnknown == nil:
		return invalid("", "missing_field", "Name at least one of name, suspended and on_unknown.")
	case body.Name != nil && *body.Name == "":
		return require([2]string{"name", ""})
	case body.OnUnknown != nil && !body.OnUnknown.Valid():
		return invalid("/on_unknown", "invalid_format", "on_unknown is reverse, hold, review, or empty for the default of the kind of payment.")
	}
	saved, err := a.Directory.SaveCompany(c.Request().Context(), inbound.SaveCompany{
		ID: company.ID(c.Param("id")), Name: body.Name, Suspended: body.Suspended, OnUnknown: body.OnUnknown,
	})
	if err != nil {
		return err //nolint:wrapcheck // a fault of the core goes to the client as it is
	}
	changed(c, string(saved.ID))
	httpkit.WriteJSON(c.Response(), http.StatusOK, companyOf(saved))
	return nil
}

func (a *api) addStore(c echo.Context, _ access.Principal) error {
	var body struct {
		CompanyID string `json:"company_id"`
		ID        string `json:"id"`
		Name      string `json:"name"`
	}
	if err := read(c, []string{"company_id", "id", "name"}, &body); err != nil {
		return err
	}
	if err := require([2]string{"company_id", body.CompanyID}, [2]string{"id", body.ID}, [2]string{"name", body.Name}); err != nil {
		return err
	}
	made, err := a.Directory.AddStore(c.Request().Context(), inbound.AddStore{
		Company: company.ID(body.CompanyID), ID: company.StoreID(body.ID), Name: body.Name,
	})
	if err != nil {
		return err //nolint:wrapcheck // a fault of the core goes to the client as it is
	}
	changed(c, string(made.Company)+"/"+string(made.ID))
	httpkit.WriteJSON(c.Response(), http.StatusCreated, storeOf(made))
	return nil
}

// putCredential adds a set or rotates the one that is there. store_id "0", "" or none is the company's own.
func (a *api) putCredential(c echo.Context, _ access.Principal) error {
	var body struct {
		CompanyID   string          `json:"company_id"`
		StoreID     string          `json:"store_id"`
		Type        string          `json:"type"`
		Environment string          `json:"environment"`
		Set         json.RawMessage `json:"set"`
	}
	if err := read(c, []string{"company_id", "store_id", "type", "environment", "set"}, &body); err != nil {
		return err
	}
	if err := require([2]string{"company_id", body.CompanyID}, [2]string{"type", body.Type},
		[2]string{"environment", body.Environment}, [2]string{"set", string(body.Set)}); err != nil {
		return err
	}
	if body.Set[0] != '{' {
		return invalid("/set", "invalid_type", "set must be a JSON object.")
	}
	environment := company.Environment(body.Environment)
	if !environment.Valid() {
		return invalid("/environment", "invalid_format", "environment is live or test.")
	}
	store := company.StoreID(body.StoreID)
	if store == "0" {
		store = company.OwnStore
	}
	made, err := a.Directory.PutCredential(c.Request().Context(), inbound.PutCredential{
		Company: company.ID(body.CompanyID), Store: store, Type: body.Type, Environment: environment, Set: body.Set,
	})
	if err != nil {
		return a.explained(err, body.Type)
	}
	changed(c, string(made.ID))
	httpkit.WriteJSON(c.Response(), http.StatusCreated, credentialOf(made))
	return nil
}

// saveCredential switches a set off and on. Its secrets are replaced by putCredential, which leaves the switch as it is.
func (a *api) saveCredential(c echo.Context, _ access.Principal) error {
	var body struct {
		Disabled *bool `json:"disabled"`
	}
	if err := read(c, []string{"disabled"}, &body); err != nil {
		return err
	}
	if body.Disabled == nil {
		return invalid("/disabled", "missing_field", "disabled is true or false.")
	}
	saved, err := a.Directory.SaveCredential(c.Request().Context(), inbound.SaveCredential{
		ID: credential.ID(c.Param("id")), Disabled: body.Disabled,
	})
	if err != nil {
		return err //nolint:wrapcheck // a fault of the core goes to the client as it is
	}
	changed(c, string(saved.ID))
	httpkit.WriteJSON(c.Response(), http.StatusOK, credentialOf(saved))
	return nil
}

func (a *api) addClient(c echo.Context, _ access.Principal) error {
	var body struct {
		CompanyID    string   `json:"company_id"`
		Name         string   `json:"name"`
		Scopes       []string `json:"scopes"`
		Environments []string `json:"environments"`
	}
	if err := read(c, []string{"company_id", "name", "scopes", "environments"}, &body); err != nil {
		return err
	}
	if err := require([2]string{"company_id", body.CompanyID}, [2]string{"name", body.Name}); err != nil {
		return err
	}
	scopes, environments := words[access.Scope](body.Scopes), words[company.Environment](body.Environments)
	if len(scopes) == 0 {
		return invalid("/scopes", "missing_field", "scopes 不可為空")
	}
	for _, s := range scopes {
		if !s.Known() {
			return invalid("/scopes", "invalid_format", "scopes are pay, search, refund and admin.")
		}
	}
	if len(environments) == 0 {
		return invalid("/environments", "missing_field", "environments 不可為空")
	}
	for _, e := range environments {
		if !e.Valid() {
			return invalid("/environments", "invalid_format", "environments are live and test.")
		}
	}
	made, secret, err := a.Directory.AddClient(c.Request().Context(), inbound.AddClient{
		Company: company.ID(body.CompanyID), Name: body.Name, Scopes: scopes, Environments: environments,
	})
	if err != nil {
		return err //nolint:wrapcheck // a fault of the core goes to the client as it is
	}
	changed(c, made.ID)
	httpkit.WriteJSON(c.Response(), http.StatusCreated, newClientReply{clientReply: clientOf(made), Secret: secret})
	return nil
}

// saveClient changes what is named and leaves the rest. The secret never changes: who needs another one adds a client.
func (a *api) saveClient(c echo.Context, _ access.Principal) error {
	var body struct {
		Name     *string `json:"name"`
		Disabled *bool   `json:"disabled"`
	}
	if err := read(c, []string{"name", "disabled"}, &body); err != nil {
		return err
	}
	switch {
	case body.Name == nil && body.Disabled == nil:
		return invalid("", "missing_field", "Name at least one of name and disabled.")
	case body.Name != nil && *body.Name == "":
		return require([2]string{"name", ""})
	}
	saved, err := a.Directory.SaveClient(c.Request().Context(), inbound.SaveClient{
		ID: c.Param("id"), Name: body.Name, Disabled: body.Disabled,
	})
	if err != nil {
		return err //nolint:wrapcheck // a fault of the core goes to the client as it is
	}
	changed(c, saved.ID)
	httpkit.WriteJSON(c.Response(), http.StatusOK, clientOf(saved))
	return nil
}

// changed notes which thing of the directory a request changed: the log has the operator and the route, and an audit needs
// to know whom it was about. The id comes from the directory, never from the request as it was sent.
func changed(c echo.Context, id string) { httpkit.Of(c.Request().Context()).Subject = id }
