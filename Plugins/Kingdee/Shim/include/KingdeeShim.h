/* The plugin exports data, no functions: nothing to declare. */
