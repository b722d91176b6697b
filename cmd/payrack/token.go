package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/payrack/payrack/configs"
)

// tokenOptions are the flags of token.
type tokenOptions struct {
	data, url, id, scope string
	admin                bool
	name                 string
	life                 time.Duration
}

func (c *cli) tokenCommand() *cobra.Command {
	var o tokenOptions
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Get an access token, or make an admin token on this machine",
		Long: "Get an access token for a client (OAuth 2.0 client credentials): of --data's development start, or of\n" +
			"--url with --client-id and the secret in PAYRACK_CLIENT_SECRET.\n" +
			"With --admin it signs a token for the admin plane with the keys on this machine: of --data's development\n" +
			"folder, or of the installation that --config names. Without either it is a development folder's here, if\n" +
			"there is one, else those of an installation without a configuration file.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.admin {
				return c.makeAdminToken(cmd, o)
			}
			return c.getToken(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.data, "data", os.Getenv("PAYRACK_DATA"), "data folder of a payrack dev (PAYRACK_DATA)")
	f.StringVar(&o.url, "url", os.Getenv("PAYRACK_URL"), "public plane (PAYRACK_URL)")
	f.StringVar(&o.id, "client-id", os.Getenv("PAYRACK_CLIENT_ID"), "client id (PAYRACK_CLIENT_ID)")
	f.StringVar(&o.scope, "scope", "", "scopes with blanks between them; all of the client's without")
	f.BoolVar(&o.admin, "admin", false, "sign an admin token with the keys on this machine")
	f.StringVar(&o.name, "name", "operator", "with --admin: who the token is for; it stands in the audit")
	f.DurationVar(&o.life, "life", time.Hour, "with --admin: how long the token lives")
	configFileFlag(cmd)
	return cmd
}

func (c *cli) getToken(ctx context.Context, o tokenOptions) error {
	got, err := clientToken(ctx, o)
	if err != nil {
		return err
	}
	t := table{}
	t.add(got.AccessToken)
	return c.print(got, t)
}

// tokenAnswer is what the token endpoint answers.
type tokenAnswer struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int    `json:"expires_in"`
	Scope       string `json:"scope"`
}

// clientToken asks the token endpoint. A running dev in --data says what is not given.
func clientToken(ctx context.Context, o tokenOptions) (tokenAnswer, error) {
	secret := os.Getenv("PAYRACK_CLIENT_SECRET")
	if o.url == "" || o.id == "" {
		d, err := readDevFile(dataOrDefault(o.data))
		if err != nil {
			return tokenAnswer{}, fmt.Errorf("%w; or name the installation with --url, --client-id and PAYRACK_CLIENT_SECRET", err)
		}
		o.url, o.id, secret = d.HTTPURL, d.ClientID, d.ClientSecret
	}
	if secret == "" {
		return tokenAnswer{}, usagef("the client's secret is missing: put it into PAYRACK_CLIENT_SECRET, a flag would show it to everybody on this machine")
	}
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {o.id}, "client_secret": {secret}}
	if o.scope != "" {
		form.Set("scope", o.scope)
	}
	a, err := (&caller{base: strings.TrimSuffix(o.url, "/")}).send(ctx, call{method: http.MethodPost, path: "/oauth/v1/token", form: form})
	if err != nil {
		return tokenAnswer{}, err
	}
	if a.status != http.StatusOK {
		var refused struct {
			Error       string `json:"error"`
			Description string `json:"error_description"`
		}
		if err := json.Unmarshal(a.body, &refused); err != nil || refused.Error == "" {
			return tokenAnswer{}, a.refusal()
		}
		if refused.Error == "invalid_scope" {
			return tokenAnswer{}, refusedf("the client may not do that, it lacks the scope %s: make one that has it, with payrack client add --scope (invalid_scope)", o.scope)
		}
		return tokenAnswer{}, refusedf("the token was refused: %s (%s)", refused.Description, refused.Error)
	}
	var got tokenAnswer
	if err := json.Unmarshal(a.body, &got); err != nil || got.AccessToken == "" {
		return tokenAnswer{}, fmt.Errorf("the token endpoint answered what cannot be read")
	}
	return got, nil
}

func (c *cli) makeAdminToken(cmd *cobra.Command, o tokenOptions) error {
	if o.life < time.Minute || o.life > 30*24*time.Hour {
		return usagef("--life is %s: choose between 1m and 720h", o.life)
	}
	conf, issuer, err := keysHere(cmd, o.data)
	if err != nil {
		return err
	}
	opened, err := openKeys(conf, issuer, false, nil)
	if err != nil {
		return err
	}
	token, err := adminToken(cmd.Context(), opened.Signer, o.name, o.life)
	if err != nil {
		return err
	}
	t := table{}
	t.add(token)
	return c.print(tokenAnswer{token, "Bearer", int(o.life.Seconds()), "admin"}, t)
}

// keysHere is the configuration with the keys folder that is meant on this machine, and the issuer of its tokens: of a development
// folder, or of the installation that --config names.
func keysHere(cmd *cobra.Command, data string) (conf configs.Config, issuer string, err error) {
	if cmd.Flags().Changed("config") || data == "" && (os.Getenv("PAYRACK_CONFIG") != "" || !devKeysHere()) {
		loaded, err := loadFrom(cmd, nil)
		return loaded, loaded.HTTP.PublicURL, err
	}
	conf = configs.Default()
	conf.Keys.Dir = filepath.Join(dataOrDefault(data), "keys")
	return conf, devIssuer, nil
}

// devKeysHere reports whether a payrack dev left its keys in its usual folder. Where it did not, payrack init may have, with
// no configuration but the defaults and the environment.
func devKeysHere() bool {
	_, err := os.Stat(filepath.Join(dataOrDefault(""), "keys"))
	return err == nil
}

func dataOrDefault(dir string) string {
	if dir == "" {
		return "./payrack-data"
	}
	return dir
}
