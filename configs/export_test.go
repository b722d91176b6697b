package configs

// Rooted is a database address after relative paths got their folder.
func Rooted(url, folder string) string {
	c := Default()
	c.Database.URL = url
	return c.rooted(folder).Database.URL
}
