"""Personal data taken out of a text, each kind by a file of its own; `redactor` puts them together."""
