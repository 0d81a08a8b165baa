-- $1 name, $2 tick, $3 whether it failed, $4 seconds for which rows of this name are kept
--
-- Sent as appointd_worker.
select messaging.end_tick($1, $2, $3, make_interval(secs => $4))
