"""Judging by a language model: what it is asked, what of its answer is believed, what is kept, what it may cost."""
