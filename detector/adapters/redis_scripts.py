"""The small programs Redis runs for us: each compares before it writes, in one step.

A partition's record is a hash: ``#progress``, ``#intent``, and its ledger, one entry for each asset
at home there: 12 bytes of :mod:`detector.core.ledger`, then the time of writing, s since 1970 by
the server's clock. In one hash, all of it is lost together, comes back together, and expires
together.

Earlier versions kept progress and intent under keys of their own. Where the record has none, those
are read, and the next write moves them over; so the keys of an installation on a single server may
name them. In a cluster there never were any.
"""

from __future__ import annotations

import struct
from typing import Final

from detector.core.ledger import ENTRY
from detector.core.state.asset import FENCE

PROGRESS_FIELD: Final = "#progress"
INTENT_FIELD: Final = "#intent"
"""No entry of a ledger is called so: these begin with a digit."""

SWEPT: Final = 8
"""Entries looked at in each write, and two more for each new one, to drop those whose state has
expired: so entries of silent runs do not pile up."""

SWEPT_MOST: Final = 200

SET_HEAD: Final = struct.Struct(f">{FENCE.size}sI")
"""The fence a state is expected to have, and the bytes of its new value."""

FENCED_SETS: Final = f"""
local written, value_at = {{}}, 1
for i, key in ipairs(KEYS) do
  local head_at = {SET_HEAD.size} * (i - 1) + 1
  local expected = string.sub(ARGV[2], head_at, head_at + {FENCE.size - 1})
  local size = struct.unpack('>I4', ARGV[2], head_at + {FENCE.size})
  local value = string.sub(ARGV[3], value_at, value_at + size - 1)
  value_at = value_at + size
  local kind = redis.call('TYPE', key)['ok']
  if kind ~= 'string' and kind ~= 'none' then redis.call('DEL', key) end
  local stored = redis.call('GETRANGE', key, 0, {FENCE.size - 1})
  if #stored < {FENCE.size} or stored == expected
      or stored == string.sub(value, 1, {FENCE.size}) then
    redis.call('SET', key, value, 'EX', ARGV[1])
    written[i] = 1
  else
    written[i] = 0
  end
end
return written
"""
"""KEYS the states' keys; ARGV their time to live in s, then a ``SET_HEAD`` of each, and the new
values, one behind the other: each argument would cost a client more than the bytes in it. A value
that is no text, or too short for a fence, is not of this program and is replaced."""

RECORD: Final = f"""
local kind = redis.call('TYPE', KEYS[1])['ok']
local function earlier(key)
  if key and redis.call('TYPE', key)['ok'] == 'string' then return redis.call('GET', key) end
  return ''
end
local function known(name, key)
  local stored = kind == 'hash' and redis.call('HGET', KEYS[1], name)
  return stored or earlier(key)
end
local function move()
  if kind ~= 'hash' and kind ~= 'none' then redis.call('DEL', KEYS[1]) end
  if not KEYS[2] then return end
  for i, name in ipairs({{'{PROGRESS_FIELD}', '{INTENT_FIELD}'}}) do
    local stored = earlier(KEYS[i + 1])
    if stored ~= '' then redis.call('HSETNX', KEYS[1], name, stored) end
    redis.call('DEL', KEYS[i + 1])
  end
end
local function now() return tonumber(redis.call('TIME')[1]) end
local function expired(entry, age)
  return (tonumber(string.sub(entry, {ENTRY.size + 1})) or 0) + tonumber(age) < now()
end
"""
"""What the next ones have in common. KEYS[1] a record; KEYS[2] and KEYS[3], on a single
server, the earlier keys of progress and intent."""

READ_RECORD: Final = f"""{RECORD}
local found = {{known('{PROGRESS_FIELD}', KEYS[2]), known('{INTENT_FIELD}', KEYS[3])}}
for i = 2, #ARGV do
  local entry = kind == 'hash' and redis.call('HGET', KEYS[1], ARGV[i])
  found[i + 1] = entry and not expired(entry, ARGV[1]) and entry or ''
end
return found
"""
"""ARGV the age at which an entry's state has expired, s; then names of entries. Returns progress,
intent and these entries; what is not there is empty."""

WRITE_RECORD: Final = f"""{RECORD}
local stored = known('{PROGRESS_FIELD}', KEYS[2])
if stored ~= ARGV[1] and stored ~= ARGV[2] then return 0 end
move()
if stored == '' then
  local intent = redis.call('HGET', KEYS[1], '{INTENT_FIELD}')
  redis.call('DEL', KEYS[1])
  if intent then redis.call('HSET', KEYS[1], '{INTENT_FIELD}', intent) end
end
redis.call('HSET', KEYS[1], '{PROGRESS_FIELD}', ARGV[2])
local added, stamp = 0, string.format('%d', now())
for i = 5, #ARGV, 2 do
  if ARGV[i + 1] == '' then
    redis.call('HDEL', KEYS[1], ARGV[i])
  else
    added = added + redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1] .. stamp)
  end
end
local swept = math.min({SWEPT} + 2 * added, {SWEPT_MOST})
local some = redis.call('HRANDFIELD', KEYS[1], -swept, 'WITHVALUES')
for i = 1, #some, 2 do
  if string.sub(some[i], 1, 1) ~= '#' and expired(some[i + 1], ARGV[4]) then
    redis.call('HDEL', KEYS[1], some[i])
  end
end
redis.call('EXPIRE', KEYS[1], ARGV[3])
return 1
"""
"""ARGV the expected progress, the new one, the record's time to live and the age at which the state
of an entry has expired, both in s; then name and value of entries, empty to drop one. A ledger
without progress speaks of nothing, and is dropped."""

INTEND: Final = f"""{RECORD}
if known('{PROGRESS_FIELD}', KEYS[2]) ~= ARGV[1] then return 0 end
if ARGV[2] ~= '' then
  move()
  redis.call('HSET', KEYS[1], '{INTENT_FIELD}', ARGV[2])
  redis.call('EXPIRE', KEYS[1], ARGV[3])
end
return 1
"""
"""ARGV the expected progress, the intent or nothing, the record's time to live in s."""

FORGET: Final = f"""{RECORD}
if known(ARGV[1], KEYS[tonumber(ARGV[3])]) ~= ARGV[2] then return 0 end
if kind == 'hash' then redis.call('HDEL', KEYS[1], ARGV[1]) end
if KEYS[2] then redis.call('DEL', KEYS[tonumber(ARGV[3])]) end
return 1
"""
"""ARGV the name of a field, the value it is removed with and no other, and which of KEYS is its
earlier key."""
