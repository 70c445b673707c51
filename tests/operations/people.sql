-- People as they come to be: signed up, verified, banned, gone; with texts that a dump must not break.
insert into users (id, username, username_key, email, phone_number, email_verified, phone_verified, referral_code, status, role, social_provider, social_profile_data, locale, date_joined, last_login, updated_at, version) values
  ('u1', 'asha', 'asha', 'asha@powerbank.test', '+9779841000001', 1, 1, 'REFAAAAA1', 'ACTIVE', 'user', 'PHONE', null, 'ne', 1000, 5000, 1000, 1),
  ('u2', 'O''Brien; drop', 'o''brien; drop', null, '+9779841000002', 0, 1, 'REFAAAAA2', 'BANNED', 'user', 'PHONE', '{"name": "आशा\n\"गुरुङ\""}', 'en', 2000, null, 2000, 9007199254740991),
  ('u3', 'a line', 'a line', 'c@powerbank.test', null, 0, 0, 'REFAAAAA3', 'INACTIVE', 'staff', 'EMAIL', null, 'en', 3000, null, 3000, 2),
  ('u4', 'gone', 'gone', 'd@powerbank.test', null, 1, 0, 'REFAAAAA4', 'ACTIVE', 'user', 'EMAIL', null, 'en', 4000, null, 4000, 1);
insert into profiles (user_id, id, full_name, address, created_at, updated_at) values
  ('u1', 'p1', 'Asha Gurung', 'a street
of two lines, a \n that is none, a CR ' || char(13) || ' and ' || char(8232), 0, 0),
  ('u2', 'p2', null, '', 0, 0);
insert into wallets (user_id, balance_minor, currency, updated_at) values ('u1', -57550, 'NPR', 1), ('u2', 0, 'NPR', 1);
insert into points (user_id, current_points, total_points, updated_at) values ('u1', 150, 150, 1);
insert into referrals (invitee_id, inviter_id, status, created_at) values ('u2', 'u1', 'PENDING', 1);
insert into kyc (user_id, id, document_type, document_number_sealed, document_number_key_id, document_number_index, front_document_id, status, version, changed_by, submitted_at, created_at, updated_at) values
  ('u1', 'k1', 'CITIZENSHIP', 'sealed', 'k', 'i1', 'd1', 'PENDING', 1, 'u1', 1, 1, 1),
  ('u2', 'k2', 'CITIZENSHIP', 'sealed', 'k', 'i2', 'd2', 'PENDING', 1, 'u2', 1, 1, 1),
  ('u4', 'k4', 'CITIZENSHIP', 'sealed', 'k', 'i4', 'd4', 'PENDING', 1, 'u4', 1, 1, 1);
update kyc set status = 'APPROVED' where user_id = 'u1';
update users set status = 'INACTIVE' where id = 'u1';
update users set status = 'ACTIVE' where id = 'u1';
delete from users where id = 'u4';
insert into sms_budget_days (day, budget, taken, refused_by_reserve, refused_by_spent) values ('2026-11-26', 2000, 7, 0, 0);
-- More texts of two lines than one statement asks for, and than one command carries.
INSERT INTO dead_letters (id, queue, reason, trace, attempts, created_at)
  SELECT 'two lines, number ' || printf('%04d', value) || ' of a long key, as it is in the command',
    'tasks', 'a reason', 'one line' || char(10) || 'another, with \n in it', 1, 0
  FROM (WITH RECURSIVE n(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n WHERE value < 1100) SELECT value FROM n);
