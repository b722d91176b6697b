package main

import (
	"errors"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/payrack/payrack/adapters/outbound/artifacts"
)

// passwordFlags say where the password of a signing key comes from. It is never a flag: others on the machine can read
// those.
type passwordFlags struct {
	file string
	none bool
}

// signFlags are the flags of plugin sign.
type signFlags struct {
	key, newKey string
	password    passwordFlags
}

func (c *cli) pluginSignCommand() *cobra.Command {
	var f signFlags
	cmd := &cobra.Command{
		Use: "sign PATH --key FILE | sign --new-key FILE", Short: "Sign a provider binary, or make a pair of keys for it; needs no platform",
		Long: "Writes the signature beside the binary, as PATH.minisig. The platform verifies it without asking anybody, with the public\n" +
			"keys that plugins.signing_keys names. Keys and signatures are those of minisign: minisign -V -m PATH -p FILE.pub shows who\n" +
			"signed what, and keys that minisign -G made are good here.\n\n" +
			"--new-key makes the pair: the secret key in FILE, which stays where releases are made, and the public one in FILE with\n" +
			".pub for .key, which goes to the platform. The password is asked for at the terminal, or is the first line of\n" +
			"--password-file.",
		Example: "  payrack plugin sign --new-key release.key\n  payrack plugin sign bin/payrack-provider-linepay --key release.key",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case f.newKey != "" && f.key == "" && len(args) == 0:
				return c.makeSigningKey(cmd, f)
			case f.newKey == "" && f.key != "" && len(args) == 1 && !f.password.none:
				return c.signPlugin(cmd, args[0], f)
			default:
				return usagef("either payrack plugin sign PATH --key FILE, or payrack plugin sign --new-key FILE")
			}
		},
	}
	cmd.Flags().StringVar(&f.key, "key", "", "sign with this minisign secret key")
	cmd.Flags().StringVar(&f.newKey, "new-key", "", "make a pair of keys: the secret one in this file, the public one beside it")
	cmd.Flags().StringVar(&f.password.file, "password-file", "", "file whose first line is the key's password")
	cmd.Flags().BoolVar(&f.password.none, "no-password", false, "with --new-key: leave the secret key unencrypted, for a machine that signs by itself")
	return cmd
}

func (c *cli) makeSigningKey(cmd *cobra.Command, f signFlags) error {
	password, err := c.newPassword(cmd, f.password)
	if err != nil {
		return err
	}
	key, public, err := artifacts.NewSigningKey(f.newKey, password)
	if err != nil {
		return refusedf("%w", err)
	}
	made := struct {
		ID     string `json:"id"`
		Secret string `json:"secret_key"`
		Public string `json:"public_key"`
	}{key.ID(), f.newKey, public}
	t := table{}
	t.add("key", made.ID)
	t.add("secret key", made.Secret+" (keep it where releases are made, and a copy in a safe place)")
	t.add("public key", made.Public+" (name it in plugins.signing_keys of the platform)")
	return c.print(made, t)
}

func (c *cli) signPlugin(cmd *cobra.Command, path string, f signFlags) error {
	key, err := c.signingKey(cmd, f.key, f.password)
	if err != nil {
		return err
	}
	signature, digest, err := key.Sign(cmd.Context(), path)
	if err != nil {
		return refusedf("%w", err)
	}
	written, err := artifacts.WriteSignature(path, signature)
	if err != nil {
		return err
	}
	made := struct {
		Signature string `json:"signature"`
		SHA256    string `json:"sha256"`
		SignedBy  string `json:"signed_by"`
	}{written, digest, key.ID()}
	t := table{head: []string{"signature", "sha256", "signed by"}}
	t.add(made.Signature, made.SHA256, made.SignedBy)
	return c.print(made, t)
}

// signingKey reads a secret key, and its password if it has one.
func (c *cli) signingKey(cmd *cobra.Command, path string, from passwordFlags) (artifacts.SigningKey, error) {
	key, err := artifacts.ReadSigningKey(path, func() (string, error) { return c.password(cmd, from, "Password of "+path) })
	if err != nil {
		if _, mine := errors.AsType[*ended](err); mine {
			return key, err
		}
		return key, refusedf("%w", err)
	}
	return key, nil
}

// newPassword is the password of a key that is made now: asked for twice, because nobody sees what is typed.
func (c *cli) newPassword(cmd *cobra.Command, from passwordFlags) (string, error) {
	if from.none {
		if from.file != "" {
			return "", usagef("--no-password and --password-file contradict each other")
		}
		return "", nil
	}
	first, err := c.password(cmd, from, "Password of the new key")
	if err != nil || from.file != "" {
		return first, err
	}
	second, err := c.password(cmd, from, "The same password again")
	if err != nil {
		return "", err
	}
	if first != second {
		return "", refusedf("the two passwords differ; nothing was made")
	}
	return first, nil
}

// password comes from the file or from the person at the terminal.
func (c *cli) password(cmd *cobra.Command, from passwordFlags, question string) (string, error) {
	if from.file != "" {
		text, err := os.ReadFile(from.file)
		if err != nil {
			return "", refusedf("the password cannot be read: %w", err)
		}
		line, _, _ := strings.Cut(string(text), "\n")
		if line = strings.TrimSuffix(line, "\r"); line == "" {
			return "", refusedf("the first line of %s is empty: it must be the password", from.file)
		}
		return line, nil
	}
	person, there := terminalOf(cmd.InOrStdin(), c.errOut)
	if !there {
		return "", usagef("the password is asked for at a terminal, and this is none: name a file with --password-file")
	}
	person.tell(question + ":")
	word, err := person.answer(cmd.Context(), true)
	if err == nil && word == "" {
		err = refusedf("an empty password protects nothing (--no-password makes a key without one); nothing was done")
	}
	return word, err
}
