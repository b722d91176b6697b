package tunnel

// Owed is how many calls were given up whose end the other side has not told.
func (c *Client) Owed() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.given)
}
