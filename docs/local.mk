dist_doc_DATA = docs/CHANGES
EXTRA_DIST += docs/README
