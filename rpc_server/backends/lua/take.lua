-- Count one call in a sliding window, unless it is one too many.
--
-- Exact: a sorted set has the moment of each call that passed, by the clock of Redis, which all
-- replicas share. A call that is refused is not counted.
--
-- KEYS[1] a sorted set; ARGV[1] most calls, ARGV[2] the window in microseconds, ARGV[3] a unique name
-- returns whether it passes, how many have passed, microseconds until the oldest stops counting
local time = redis.call('TIME')
local now, window = time[1] * 1000000 + time[2], tonumber(ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - window)
local passed = redis.call('ZCARD', KEYS[1])
local passes = passed < tonumber(ARGV[1])
if passes then
  redis.call('ZADD', KEYS[1], now, ARGV[3])
  redis.call('PEXPIRE', KEYS[1], math.ceil(window / 1000))
  passed = passed + 1
end
local oldest = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
return {passes and 1 or 0, passed, oldest[2] + window - now}
