# unit_tests += tests/combine/test_x
unit_tests += tests/combine/test_delayq
unit_tests += tests/combine/test_future
unit_tests += tests/combine/test_interval
unit_tests += tests/combine/test_select
unit_tests += tests/combine/test_select_order
unit_tests += tests/combine/test_select_set
