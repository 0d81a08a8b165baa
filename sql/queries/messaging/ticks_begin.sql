-- $1 name, $2 tick, $3 when it was due, $4 whether that is too long ago, $5 seconds of the lease; whether to do it
--
-- Sent as appointd_worker.
select messaging.begin_tick($1, $2, $3, $4, make_interval(secs => $5)) as begun
