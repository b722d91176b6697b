package shim_test

var ofThisArchitecture []uint32
