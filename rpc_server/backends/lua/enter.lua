-- Take one of a number of places, unless all are taken; a place that is not given back is free after a while.
--
-- KEYS[1] a sorted set; ARGV[1] places, ARGV[2] microseconds until it is free, ARGV[3] a unique name
-- returns 1, or 0 where all are taken
local time = redis.call('TIME')
local now, held = time[1] * 1000000 + time[2], tonumber(ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[1]) then
  return 0
end
redis.call('ZADD', KEYS[1], now + held, ARGV[3])
redis.call('PEXPIRE', KEYS[1], math.ceil(held / 1000))
return 1
