# unit_tests += tests/combine/test_x
unit_tests += tests/combine/test_future tests/combine/test_select tests/combine/test_select_set
