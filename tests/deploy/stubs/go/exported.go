package main

// #include <stdint.h>
import "C"

import (
	"os"
	"unsafe"
)

// Main runs the program with these arguments.
//
//export Main
func Main(argc C.int, argv **C.char) {
	os.Args = nil
	for _, argument := range unsafe.Slice(argv, int(argc)) {
		os.Args = append(os.Args, C.GoString(argument))
	}
	main()
}

// PrintLiterals prints the texts whose literals are tested, each with a zero after it.
//
//export PrintLiterals
func PrintLiterals(argc C.int, argv **C.char) {
	for _, text := range literals {
		os.Stdout.WriteString(text + "\x00")
	}
}
