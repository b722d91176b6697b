package outboundtest

import (
	"testing"
	"time"

	"github.com/payrack/payrack/core/access"
	"github.com/payrack/payrack/core/company"
	"github.com/payrack/payrack/core/credential"
	"github.com/payrack/payrack/core/directory"
	"github.com/payrack/payrack/core/fault"
	"github.com/payrack/payrack/ports/outbound"
)

// Directory is the contract of outbound.Directory. open returns an empty directory; the suite calls it once a
// subtest and runs the subtests in parallel.
func Directory(t *testing.T, open func(t *testing.T) outbound.Directory) {
	t.Helper()
	for name, run := range map[string]func(*testing.T, outbound.Directory){
		"an empty directory has generation 0":                 directoryEmpty,
		"what is added is kept as it is":                      directoryKeeps,
		"every write raises the generation, a failed one not": directoryCounts,
		"an id is taken once":                                 directoryConflicts,
		"a company is saved over itself":                      directorySaves,
		"a client is switched off and on":                     directorySavesClients,
		"a credential set is switched off and on":             directorySavesCredentials,
		"nothing belongs to a company that does not exist":    directoryOwners,
		"a credential set is replaced by the next revision":   directoryRotates,
		"a credential set moves to no other place":            directoryPins,
		"a snapshot is of one generation":                     directorySnapshots,
		"of many rotations of one revision one wins":          directoryRaces,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, open(t))
		})
	}
}

func someCompany(name string) company.Company {
	return company.Company{ID: company.ID(name), Name: "公司 " + name, CreatedAt: epochStart()}
}

func someStore(name string) company.Store {
	return company.Store{Company: "c1", ID: company.StoreID(name), Name: "門市 " + name, CreatedAt: epochStart()}
}

func someCredential(revision int64) credential.Credential {
	return credential.Credential{
		ID: "credential-1", Company: "c1", Type: "TILL_PAY", Provider: "till", Environment: company.Test,
		Account: "1234567890", Wire: "v4", Revision: revision, CreatedAt: epochStart(),
		UpdatedAt: epochStart().Add(time.Duration(revision) * time.Hour), Sealed: []byte{0, 1, 2, 255, byte(revision)},
	}
}

func someClient(name string) access.Client {
	return access.Client{
		ID: name, Company: "c1", Name: "till", SecretHash: "$argon2id$v=19$…", CreatedAt: epochStart(),
		Scopes: []access.Scope{access.Pay, access.Search}, Environments: []company.Environment{company.Test, company.Live},
	}
}

// written fails the test if a write failed.
func written(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("write: %v", err)
	}
}

func readDirectory(t *testing.T, d outbound.Directory) directory.Snapshot {
	t.Helper()
	s, err := d.Snapshot(t.Context())
	if err != nil {
		t.Fatalf("Snapshot: %v", err)
	}
	return s
}

func wantGeneration(t *testing.T, d outbound.Directory, want int64) {
	t.Helper()
	if got, err := d.Generation(t.Context()); err != nil || got != want {
		t.Errorf("Generation = %d, %v; want %d", got, err, want)
	}
	if got := readDirectory(t, d).Generation; got != want {
		t.Errorf("the snapshot is of generation %d, want %d", got, want)
	}
}

func directoryEmpty(t *testing.T, d outbound.Directory) {
	t.Helper()
	wantGeneration(t, d, 0)
	s := readDirectory(t, d)
	if len(s.Companies)+len(s.Stores)+len(s.Credentials)+len(s.Clients) != 0 {
		t.Errorf("an empty directory holds %+v", s)
	}
}

func directoryKeeps(t *testing.T, d outbound.Directory) {
	t.Helper()
	suspended := someCompany("c2")
	suspended.Suspended = true
	own, ofStore := someCredential(1), someCredential(1)
	ofStore.ID, ofStore.Store, ofStore.Disabled = "credential-2", "s1", true
	live := someCredential(1)
	live.ID, live.Environment, live.Wire = "credential-3", company.Live, ""
	bare := someClient("client-2")
	bare.Scopes, bare.Environments, bare.Disabled = nil, nil, true
	ctx := t.Context()
	written(t, d.AddCompany(ctx, suspended))
	written(t, d.AddCompany(ctx, someCompany("c1")))
	written(t, d.AddStore(ctx, someStore("s2")))
	written(t, d.AddStore(ctx, someStore("s1")))
	written(t, d.PutCredential(ctx, ofStore))
	written(t, d.PutCredential(ctx, own))
	written(t, d.PutCredential(ctx, live))
	written(t, d.AddClient(ctx, bare))
	written(t, d.AddClient(ctx, someClient("client-1")))
	s := readDirectory(t, d)
	same(t, s.Companies, []company.Company{someCompany("c1"), suspended})
	same(t, s.Stores, []company.Store{someStore("s1"), someStore("s2")})
	same(t, s.Credentials, []credential.Credential{live, own, ofStore})
	if len(s.Clients) != 2 || len(s.Clients[1].Scopes) != 0 || len(s.Clients[1].Environments) != 0 {
		t.Fatalf("clients = %+v", s.Clients)
	}
	s.Clients[1].Scopes, s.Clients[1].Environments = nil, nil
	same(t, s.Clients, []access.Client{someClient("client-1"), bare})
}

func directoryCounts(t *testing.T, d outbound.Directory) {
	t.Helper()
	ctx := t.Context()
	written(t, d.AddCompany(ctx, someCompany("c1")))
	wantGeneration(t, d, 1)
	written(t, d.AddStore(ctx, someStore("s1")))
	written(t, d.PutCredential(ctx, someCredential(1)))
	written(t, d.AddClient(ctx, someClient("client-1")))
	wantGeneration(t, d, 4)
	wantKind(t, d.AddCompany(ctx, someCompany("c1")), fault.Conflict)
	wantKind(t, d.AddClient(ctx, someClient("client-1")), fault.Conflict)
	wantKind(t, d.PutCredential(ctx, someCredential(1)), fault.Conflict)
	wantGeneration(t, d, 4)
	written(t, d.PutCredential(ctx, someCredential(2)))
	wantGeneration(t, d, 5)
}

func directorySaves(t *testing.T, d outbound.Directory) {
	t.Helper()
	ctx := t.Context()
	wantKind(t, d.SaveCompany(ctx, someCompany("c1")), fault.NotFound)
	added := someCompany("c1")
	added.OnUnknown = company.Hold
	written(t, d.AddCompany(ctx, added))
	written(t, d.AddCompany(ctx, someCompany("c2")))
	same(t, readDirectory(t, d).Companies[0], added)
	for i, policy := range []company.OnUnknown{company.Reverse, company.ToReview, company.OnUnknownDefault, company.Hold} {
		saved := company.Company{ID: "c1", Name: "新名 " + string(policy), Suspended: i%2 == 0, OnUnknown: policy}
		written(t, d.SaveCompany(ctx, saved))
		// The day on which it came stays.
		saved.CreatedAt = added.CreatedAt
		same(t, readDirectory(t, d).Companies, []company.Company{saved, someCompany("c2")})
		wantGeneration(t, d, int64(i)+3)
	}
	unknown := someCompany("c1")
	unknown.OnUnknown = "forget"
	wantCode(t, d.SaveCompany(ctx, unknown), fault.Internal, "ledger_refused")
	unknown.ID = "c3"
	wantCode(t, d.AddCompany(ctx, unknown), fault.Internal, "ledger_refused")
	wantGeneration(t, d, 6)
}

func directorySavesClients(t *testing.T, d outbound.Directory) {
	t.Helper()
	ctx := t.Context()
	written(t, d.AddCompany(ctx, someCompany("c1")))
	wantCode(t, d.SaveClient(ctx, someClient("client-1")), fault.NotFound, "client_not_found")
	wantGeneration(t, d, 1)
	written(t, d.AddClient(ctx, someClient("client-1")))
	written(t, d.AddClient(ctx, someClient("client-2")))
	for i, name := range []string{"櫃台一", "till"} {
		// What a client is and may do, and its secret, stay.
		written(t, d.SaveClient(ctx, access.Client{ID: "client-1", Company: "c2", Name: name, SecretHash: "other", Disabled: i == 0}))
		want := someClient("client-1")
		want.Name, want.Disabled = name, i == 0
		same(t, readDirectory(t, d).Clients, []access.Client{want, someClient("client-2")})
		wantGeneration(t, d, int64(i)+4)
	}
}

func directorySavesCredentials(t *testing.T, d outbound.Directory) {
	t.Helper()
	ctx := t.Context()
	written(t, d.AddCompany(ctx, someCompany("c1")))
	wantCode(t, d.SaveCredential(ctx, someCredential(1)), fault.NotFound, "credential_not_found")
	wantGeneration(t, d, 1)
	first, other := someCredential(1), someCredential(1)
	other.ID, other.Environment = "credential-2", company.Live
	written(t, d.PutCredential(ctx, first))
	written(t, d.PutCredential(ctx, other))
	expect := func(want credential.Credential, generation int64) {
		t.Helper()
		for _, got := range readDirectory(t, d).Credentials {
			if got.ID == want.ID {
				same(t, got, want)
			} else {
				same(t, got, other)
			}
		}
		wantGeneration(t, d, generation)
	}
	// What a set is stays: only the switch and the day of the change are replaced.
	off := first
	off.Disabled, off.UpdatedAt = true, epochStart().Add(10*time.Hour)
	written(t, d.SaveCredential(ctx, credential.Credential{ID: off.ID, Company: "c2", Revision: 9, Account: "x", Disabled: true, UpdatedAt: off.UpdatedAt}))
	expect(off, 4)

	// A rotation that does not know of it switches nothing on.
	wantKind(t, d.PutCredential(ctx, someCredential(2)), fault.Conflict)
	expect(off, 4)
	next := someCredential(2)
	next.Disabled = true
	written(t, d.PutCredential(ctx, next))
	expect(next, 5)

	next.Disabled, next.UpdatedAt = false, epochStart().Add(20*time.Hour)
	written(t, d.SaveCredential(ctx, next))
	expect(next, 6)
	written(t, d.PutCredential(ctx, someCredential(3)))
	expect(someCredential(3), 7)
}

func directoryConflicts(t *testing.T, d outbound.Directory) {
	t.Helper()
	ctx := t.Context()
	written(t, d.AddCompany(ctx, someCompany("c1")))
	written(t, d.AddCompany(ctx, someCompany("c2")))
	written(t, d.AddStore(ctx, someStore("s1")))
	written(t, d.AddClient(ctx, someClient("client-1")))
	wantKind(t, d.AddCompany(ctx, someCompany("c1")), fault.Conflict)
	wantKind(t, d.AddStore(ctx, someStore("s1")), fault.Conflict)
	other := someClient("client-1")
	other.Company = "c2"
	wantKind(t, d.AddClient(ctx, other), fault.Conflict)
	// A store's code is unique inside the company only.
	twin := someStore("s1")
	twin.Company = "c2"
	written(t, d.AddStore(ctx, twin))
}

func directoryOwners(t *testing.T, d outbound.Directory) {
	t.Helper()
	ctx := t.Context()
	wantKind(t, d.AddStore(ctx, someStore("s1")), fault.NotFound)
	wantKind(t, d.AddClient(ctx, someClient("client-1")), fault.NotFound)
	wantKind(t, d.PutCredential(ctx, someCredential(1)), fault.NotFound)
	written(t, d.AddCompany(ctx, someCompany("c1")))
	ofStore := someCredential(1)
	ofStore.Store = "s1"
	wantKind(t, d.PutCredential(ctx, ofStore), fault.NotFound)
	wantGeneration(t, d, 1)
	written(t, d.AddStore(ctx, someStore("s1")))
	written(t, d.PutCredential(ctx, ofStore))
}

func directoryRotates(t *testing.T, d outbound.Directory) {
	t.Helper()
	ctx := t.Context()
	written(t, d.AddCompany(ctx, someCompany("c1")))
	wantKind(t, d.PutCredential(ctx, someCredential(0)), fault.Conflict)
	wantKind(t, d.PutCredential(ctx, someCredential(2)), fault.Conflict)
	written(t, d.PutCredential(ctx, someCredential(1)))
	wantKind(t, d.PutCredential(ctx, someCredential(1)), fault.Conflict)
	wantKind(t, d.PutCredential(ctx, someCredential(3)), fault.Conflict)
	next := someCredential(2)
	next.Account, next.Disabled = "1234567891", true
	written(t, d.PutCredential(ctx, next))
	wantKind(t, d.PutCredential(ctx, someCredential(1)), fault.Conflict)
	wantKind(t, d.PutCredential(ctx, someCredential(2)), fault.Conflict)
	same(t, readDirectory(t, d).Credentials, []credential.Credential{next})
}

func directoryPins(t *testing.T, d outbound.Directory) {
	t.Helper()
	ctx := t.Context()
	written(t, d.AddCompany(ctx, someCompany("c1")))
	written(t, d.AddStore(ctx, someStore("s1")))
	written(t, d.PutCredential(ctx, someCredential(1)))
	for name, edit := range map[string]func(*credential.Credential){
		"another id":          func(c *credential.Credential) { c.ID = "credential-2" },
		"another store":       func(c *credential.Credential) { c.Store = "s1" },
		"another type":        func(c *credential.Credential) { c.Type = "KIOSK_PAY" },
		"another environment": func(c *credential.Credential) { c.Environment = company.Live },
	} {
		for revision := int64(1); revision <= 2; revision++ {
			c := someCredential(revision)
			edit(&c)
			if err := d.PutCredential(ctx, c); fault.KindOf(err) != fault.Conflict {
				t.Errorf("%s, revision %d: %v, want conflict", name, revision, err)
			}
		}
	}
	same(t, readDirectory(t, d).Credentials, []credential.Credential{someCredential(1)})
}

// directorySnapshots reads while companies are added: a snapshot has as many of them as its generation says.
func directorySnapshots(t *testing.T, d outbound.Directory) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 50 {
			if err := d.AddCompany(t.Context(), someCompany(random(8))); err != nil {
				t.Errorf("AddCompany: %v", err)
			}
		}
	}()
	for {
		s := readDirectory(t, d)
		if int64(len(s.Companies)) != s.Generation {
			t.Fatalf("%d companies at generation %d", len(s.Companies), s.Generation)
		}
		select {
		case <-done:
			wantGeneration(t, d, 50)
			return
		default:
		}
	}
}

func directoryRaces(t *testing.T, d outbound.Directory) {
	t.Helper()
	written(t, d.AddCompany(t.Context(), someCompany("c1")))
	written(t, d.PutCredential(t.Context(), someCredential(1)))
	won := manyAtOnce(t, func() error { return d.PutCredential(t.Context(), someCredential(2)) })
	if won != 1 {
		t.Errorf("%d rotations won, want 1", won)
	}
	wantGeneration(t, d, 3)
}
