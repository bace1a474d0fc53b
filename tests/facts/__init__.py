"""Facts beside the CRM's rows: whatever changes, answers are those of the rows."""
