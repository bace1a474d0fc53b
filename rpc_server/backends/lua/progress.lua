-- Say that a call runs, and what it reports; also again, to stay known.
--
-- The claim keeps others from the call's request id; it and the stream are gone soon after the
-- process that ran the call is. Where Redis has lost a stream, it is made known anew.
--
-- KEYS[1] the claim, a string; KEYS[2] the call's events, a stream; KEYS[3] the calls of its owner, a stream
-- ARGV[1] the run; ARGV[2] what is said of it to others
-- ARGV[3] milliseconds for which a call is known that gives no sign of life; ARGV[4] those of one that has ended
-- ARGV[5] most events, ARGV[6] most calls
-- ARGV[7] number of an event, 0: none; ARGV[8] its stage, ARGV[9] its progress, ARGV[10] its body
-- returns 0 where another run has the claim, else 1
local claim, events, calls = KEYS[1], KEYS[2], KEYS[3]
local run, number, stage = ARGV[1], tonumber(ARGV[7]), ARGV[8]
local holder = redis.call('SET', claim, run, 'NX', 'GET', 'PX', ARGV[3]) or run
local is_new = redis.call('EXISTS', events) == 0
if is_new and number == 0 and holder ~= run then
  return 0
end
if is_new then
  redis.call('XADD', events, '0-1', 'run', run)
  redis.call('XADD', calls, 'MAXLEN', ARGV[6], '*', 'call', ARGV[2])
end
local latest = redis.call('XREVRANGE', events, '+', '-', 'COUNT', 1)[1]
if number > tonumber(string.match(latest[1], '^%d+')) then
  redis.call('XADD', events, 'MAXLEN', ARGV[5], number .. '-0', 'stage', stage, 'progress', ARGV[9], 'body', ARGV[10])
end
local has_ended = stage == 'done' or stage == 'error'
local known = has_ended and ARGV[4] or ARGV[3]
redis.call('PEXPIRE', events, known)
redis.call('PEXPIRE', calls, ARGV[4] * 10)
if holder == run then
  redis.call('PEXPIRE', claim, ARGV[3])
  if has_ended then
    redis.call('DEL', claim)
  end
end
return 1
