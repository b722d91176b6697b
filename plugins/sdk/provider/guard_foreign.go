package provider

import (
	"sync"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// foreign finds a field or an enum number that this binary's contract does not have, at any depth, and
// returns the name of the nearest known member.
func foreign(m protoreflect.Message) string {
	if len(m.GetUnknown()) > 0 {
		return string(m.Descriptor().Name())
	}
	for _, f := range deepFields(m.Descriptor()) {
		if !m.Has(f) {
			continue
		}
		if found := foreignField(f, m.Get(f)); found != "" {
			return found
		}
	}
	return ""
}

// fieldsByType keeps what deepFields finds: from a message's descriptor to its fields.
var fieldsByType sync.Map // of []protoreflect.FieldDescriptor

// deepFields are the fields of a message that can hold something foreign: messages and enums. A text or a
// number cannot. The contract has no maps.
func deepFields(d protoreflect.MessageDescriptor) []protoreflect.FieldDescriptor {
	if kept, ok := fieldsByType.Load(d); ok {
		if fields, ok := kept.([]protoreflect.FieldDescriptor); ok {
			return fields
		}
	}
	var fields []protoreflect.FieldDescriptor
	for i := range d.Fields().Len() {
		if f := d.Fields().Get(i); !f.IsMap() && (f.Message() != nil || f.Enum() != nil) {
			fields = append(fields, f)
		}
	}
	fieldsByType.Store(d, fields)
	return fields
}

func foreignField(f protoreflect.FieldDescriptor, v protoreflect.Value) string {
	if !f.IsList() {
		return foreignValue(f, v)
	}
	for i := range v.List().Len() {
		if found := foreignValue(f, v.List().Get(i)); found != "" {
			return found
		}
	}
	return ""
}

func foreignValue(f protoreflect.FieldDescriptor, v protoreflect.Value) string {
	switch {
	case f.Message() != nil:
		return foreign(v.Message())
	case f.Enum() != nil && f.Enum().Values().ByNumber(v.Enum()) == nil:
		return string(f.Name())
	default:
		return ""
	}
}
