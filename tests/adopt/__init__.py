"""An existing Ventros CRM database, adopted: the same answers, its tables left as they are, and only listed columns written."""
