// Package configs is the configuration of an installation: one typed struct that only cmd reads.
//
// A value is looked for in this order, the last one found wins: the defaults in [Default], the YAML file,
// the environment (PAYRACK_ and two underscores for a level: database.url is PAYRACK_DATABASE__URL), the
// flags of the command. A relative path in the file and a default start at the folder of the file, one in the
// environment or a flag at the working folder; what Load returns is absolute. An unknown key is a mistake, wherever it stands, because a mistyped limit that is
// silently ignored is found out on the worst day. [Load] reports all mistakes at once, each with the key,
// what is wrong with it and what to do.
//
// payrack.example.yaml beside this file names every key with its default; a test keeps it so.
package configs
