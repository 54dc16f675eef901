// Nothing is called by name: the library is loaded into a program before all others (LD_PRELOAD), and takes the place of
// functions of the C library.
