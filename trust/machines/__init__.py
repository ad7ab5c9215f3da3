"""State machines: what may be done in any order, beside plain lists of rows."""
