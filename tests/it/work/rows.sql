-- A row of each table of tasks, for the organization {tenant}: no request of the tests links one.
insert into work.tasks (tenant_id, id, title, board_position) values ('{tenant}', '{tenant}', 'Task', 1);

insert into work.task_tags (tenant_id, task_id, tag) values ('{tenant}', '{tenant}', 'tag');

insert into work.task_links (tenant_id, task_id, contact_id)
select c.tenant_id, c.tenant_id, c.id
from crm.contacts as c
where c.tenant_id = '{tenant}'
order by c.id
limit 1;
