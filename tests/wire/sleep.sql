-- Does not end.
select pg_sleep(60)
