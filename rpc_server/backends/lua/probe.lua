-- Write something that expires: says that Redis takes writes, and scripts.
--
-- KEYS[1] a string; ARGV[1] milliseconds
redis.call('SET', KEYS[1], '', 'PX', ARGV[1])
return 'OK'
