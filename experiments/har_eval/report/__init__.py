"""The main experiment's report: tables, figures and words on one page that opens offline."""
