unit_tests += tests/mem/test_fault tests/mem/test_slab tests/mem/test_stack
