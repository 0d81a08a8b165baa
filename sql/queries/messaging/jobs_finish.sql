-- $1 tenant_id, $2 jobs, $3 their tokens; deletes jobs that are done, and returns those whose lease was still held
--
-- Sent as appointd_worker.
delete from messaging.jobs as j
using unnest($2::uuid[], $3::uuid[]) as h (id, token)
where j.tenant_id = $1 and j.id = h.id and j.lease_token = h.token
returning j.id
