package form

// Judge says what the rules and what the schema library think of a request that the walker accepts.
func Judge(schemaDoc, request []byte) (rules, library bool, err error) {
	s, err := compile(schemaDoc)
	if err != nil {
		return false, false, err
	}
	v, err := parseObject(request, RequestPointer)
	if err != nil {
		return false, false, err
	}
	p := &problems{root: s.root, base: RequestPointer}
	v = s.tidyTop(v, p)
	if len(p.list) > 0 {
		return false, false, nil
	}
	return s.root.clean(v), s.library.Validate(v.plain()) == nil, nil
}
