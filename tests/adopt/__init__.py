"""A Ventros CRM database, adopted: the same answers, its tables as they were, and only listed columns written."""
