-- $1 account_id, $2 id of the one to keep
delete from identity.sessions
where account_id = $1 and id <> $2
