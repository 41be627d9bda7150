BEGIN TRANSACTION;
CREATE TABLE account (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    customer_id BIGINT NOT NULL REFERENCES customer (id) ON DELETE CASCADE,
    email VARCHAR(254) NOT NULL,
    user_name VARCHAR(100) NOT NULL,
    password_hash VARCHAR(255) NOT NULL,
    role VARCHAR(16) NOT NULL,
    language VARCHAR(8) NOT NULL,
    created_at DATETIME NOT NULL
, terms_version VARCHAR(64) NOT NULL DEFAULT '');
INSERT INTO "account" VALUES(1,2,'yoso@other.example','余所 次郎','$argon2id$v=19$m=8,t=1,p=1$AY2fq4vHnmMVY7kZNFWUSA$m89oMmN7q96llf0h4RKKc38GZ/zzIsoVF5y8sV58tkk','admin','ja','2026-04-01 09:00:00.000000','');
INSERT INTO "account" VALUES(2,1,'viewer@customer.example','見本 viewer','$argon2id$v=19$m=8,t=1,p=1$ah5WEjkkdlIEkT60sIk/Bw$CjPWgAmgGMKJY9jV0RM0mQfJiQvSEk5/6l8j5uU/T+k','viewer','ja','2026-04-01 09:00:00.000000','');
INSERT INTO "account" VALUES(3,1,'editor@customer.example','見本 editor','$argon2id$v=19$m=8,t=1,p=1$J41/S4SHcLiORzM68FWOew$gju0L+4ZDwkvOcp3ASHe1+0qDjxm4Ft2D5Vzn7ArcY4','editor','ja','2026-04-01 09:00:00.000000','');
INSERT INTO "account" VALUES(4,1,'admin@customer.example','見本 admin','$argon2id$v=19$m=8,t=1,p=1$LSPwWEkXNxi5M7RYnKEpVw$K0zST7jogBBXQLq+PIFw8KZoDX7dq3H4vfgGo7IWs10','admin','ja','2026-04-01 09:00:00.000000','');
INSERT INTO "account" VALUES(5,1,'todokanai@customer.example','見本 不達子','$argon2id$v=19$m=8,t=1,p=1$RWizWfUrCrYJQWCFuFQwxg$8kxWHHAVqjSAfoeJtRlYavtOHKV6H6BjUafkgWZPB/M','editor','ja','2026-04-01 09:00:00.000000','');
CREATE TABLE address_change (
    instance BIGINT NOT NULL PRIMARY KEY,
    customer_id BIGINT NOT NULL REFERENCES customer (id) ON DELETE CASCADE,
    account_id BIGINT NOT NULL,
    account_name VARCHAR(100) NOT NULL,
    old VARCHAR(254) NOT NULL,
    new VARCHAR(254) NOT NULL,
    language VARCHAR(8) NOT NULL,
    slot VARCHAR(100),
    asked_at DATETIME NOT NULL
) WITHOUT ROWID;
INSERT INTO "address_change" VALUES(16,1,2,'見本 viewer','viewer@customer.example','atarashii@customer.example','ja','account:2/login','2026-04-01 09:00:00.000000');
INSERT INTO "address_change" VALUES(17,1,4,'見本 admin','info@customer.example','keiyaku@customer.example','ja','customer:1/contractor','2026-04-01 09:00:00.000000');
CREATE TABLE application (
    instance BIGINT NOT NULL PRIMARY KEY,
    customer_id BIGINT NOT NULL REFERENCES customer (id) ON DELETE CASCADE,
    email VARCHAR(254) NOT NULL,
    user_name VARCHAR(100) NOT NULL,
    password_hash VARCHAR(255) NOT NULL,
    language VARCHAR(8) NOT NULL
, terms_version VARCHAR(64) NOT NULL DEFAULT '') WITHOUT ROWID;
INSERT INTO "application" VALUES(13,1,'moushikomi@customer.example','見本 花子','$argon2id$v=19$m=8,t=1,p=1$mJTdSGnU0VAPSRymRYGm9g$vFyC3g0ffwreZ7925d33i+cNyGuSQlGWd28lzt3y4iw','ja','a4ee98ab0a0cfc0a');
CREATE TABLE change_request (
    instance BIGINT NOT NULL PRIMARY KEY,
    customer_id BIGINT NOT NULL REFERENCES customer (id) ON DELETE CASCADE,
    contract_id BIGINT REFERENCES contract (id) ON DELETE CASCADE,
    kind VARCHAR(32) NOT NULL,
    slot VARCHAR(100),
    asked_by BIGINT NOT NULL,
    asked_by_name VARCHAR(100) NOT NULL,
    asked_at DATETIME NOT NULL,
    before TEXT NOT NULL,
    after TEXT NOT NULL,
    quote TEXT NOT NULL,
    effective_on DATE NOT NULL,
    reason VARCHAR(1000) NOT NULL,
    reference VARCHAR(200) NOT NULL
) WITHOUT ROWID;
INSERT INTO "change_request" VALUES(9,1,1,'options','contract:1/options',3,'見本 editor','2026-04-01 09:00:00.000000','{"options": [], "payment_method": "bank_transfer", "product": "desknets-neo", "started_on": "2024-04-01", "subdomain": "mihon", "term": "monthly", "users": 30}','{"options": ["appsuite"], "payment_method": "bank_transfer", "product": "desknets-neo", "started_on": "2024-04-01", "subdomain": "mihon", "term": "monthly", "users": 30}','{"quote": {"digest": "ff37444ae46df41036c2ba4f31e96ea6290703135d95aee3d951ec563cc99dd2", "due": null, "recurring": {"lines": [[{"params": {}, "text": "ユーザーライセンス"}, 30, 600, 18000, "0.10"], ["AppSuite", 30, 320, 9600, "0.10"]], "net": 27600, "period": "month", "taxes": [["0.10", 27600, 2760]], "total": 30360}}}','2026-05-01','','');
INSERT INTO "change_request" VALUES(10,1,NULL,'details','customer:1/details',3,'見本 editor','2026-04-01 09:00:00.000000','{"company": "株式会社みほん商事"}','{"company": "株式会社みほん新社名"}','','2026-04-01','','');
INSERT INTO "change_request" VALUES(11,1,1,'payment_method','contract:1/payment_method',3,'見本 editor','2026-04-01 09:00:00.000000','{"options": [], "payment_method": "bank_transfer", "product": "desknets-neo", "started_on": "2024-04-01", "subdomain": "mihon", "term": "monthly", "users": 30}','{"options": [], "payment_method": "direct_debit", "product": "desknets-neo", "started_on": "2024-04-01", "subdomain": "mihon", "term": "monthly", "users": 30}','','2026-05-01','','');
INSERT INTO "change_request" VALUES(12,1,2,'payment_method','contract:2/payment_method',3,'見本 editor','2026-04-01 09:00:00.000000','{"options": [], "payment_method": "bank_transfer", "product": "chatluck", "started_on": "2024-04-01", "subdomain": "mihon-chat", "term": "annual", "users": 30}','{"options": [], "payment_method": "credit_card", "product": "chatluck", "started_on": "2024-04-01", "subdomain": "mihon-chat", "term": "annual", "users": 30}','','2026-05-01','','');
CREATE TABLE contract (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    customer_id BIGINT NOT NULL REFERENCES customer (id) ON DELETE CASCADE,
    product VARCHAR(32) NOT NULL,
    subdomain VARCHAR(63) NOT NULL,
    term VARCHAR(16) NOT NULL,
    payment_method VARCHAR(32) NOT NULL,
    users INTEGER NOT NULL,
    started_on DATE NOT NULL,
    ended_on DATE,
    options TEXT NOT NULL,
    imported TEXT NOT NULL
);
INSERT INTO "contract" VALUES(1,1,'desknets-neo','mihon','monthly','bank_transfer',30,'2024-04-01',NULL,'','');
INSERT INTO "contract" VALUES(2,1,'chatluck','mihon-chat','annual','bank_transfer',30,'2024-04-01',NULL,'','');
INSERT INTO "contract" VALUES(3,2,'desknets-neo','yoso','monthly','bank_transfer',10,'2024-04-01',NULL,'','');
INSERT INTO "contract" VALUES(4,1,'desknets-neo','mihon-2','monthly','bank_transfer',20,'2024-04-01',NULL,'','');
CREATE TABLE contract_change (
    instance BIGINT NOT NULL PRIMARY KEY REFERENCES change_request (instance) ON DELETE CASCADE,
    wish VARCHAR(120),
    withdrawn_by BIGINT NOT NULL,
    booking VARCHAR(16) NOT NULL,
    booking_key VARCHAR(200) NOT NULL
, ahead VARCHAR(80) NOT NULL DEFAULT '') WITHOUT ROWID;
INSERT INTO "contract_change" VALUES(9,NULL,0,'','','');
CREATE TABLE customer (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    number VARCHAR(32) NOT NULL,
    company VARCHAR(200) NOT NULL,
    channel VARCHAR(16) NOT NULL,
    contractor_name VARCHAR(200) NOT NULL,
    contractor_email VARCHAR(254) NOT NULL,
    contractor_person VARCHAR(200) NOT NULL,
    contractor_phone VARCHAR(32) NOT NULL,
    contractor_postcode VARCHAR(16) NOT NULL,
    contractor_address VARCHAR(400) NOT NULL,
    billing_name VARCHAR(200) NOT NULL,
    billing_postcode VARCHAR(16) NOT NULL,
    billing_address VARCHAR(400) NOT NULL,
    billing_mode VARCHAR(16) NOT NULL,
    imported TEXT NOT NULL
);
INSERT INTO "customer" VALUES(1,'A07770777','株式会社みほん商事','direct','見本 契太郎','info@customer.example','情シス 見本子','03-9876-5432','987-6543','東京都千代田区千代田9-9-9','','','','postcard','');
INSERT INTO "customer" VALUES(2,'A09999999','株式会社よその会社','direct','よその人','info@other.example','','','','','','','','postcard','');
CREATE TABLE definition (
    name VARCHAR(64) NOT NULL,
    version INTEGER NOT NULL,
    digest VARCHAR(64) NOT NULL,
    PRIMARY KEY (name, version)
) WITHOUT ROWID
;
INSERT INTO "definition" VALUES('account_creation',1,'a0c01f35b6d997a0f0304661ad7df53133c211b3338fd2bb287efcf9b399cb6d');
INSERT INTO "definition" VALUES('account_invitation',1,'0b238a39a49e91a0c74b71d1cad4d00e47ea4135f49f9d4ac66d24495051c029');
INSERT INTO "definition" VALUES('account_profile_change',1,'d036229c56933d148cb00d25cacc1acfdb1ed955d41b051b96488d07a740421b');
INSERT INTO "definition" VALUES('account_removal',1,'4b62d7bbfb25652e567de136b94eeacd134bea4aa90d8116bd7d6e1d8d3c9205');
INSERT INTO "definition" VALUES('account_role_change',1,'c76fd6b7db0df75ed95c5d0747e7703c9c68081b8ba762c65e014aa7a15ed450');
INSERT INTO "definition" VALUES('contract_change',1,'4924c43f1385942b8bc2314dffda3173454b34c96f862926bb3cbe9a7c75aa08');
INSERT INTO "definition" VALUES('contractor_email_change',1,'1cc6d99dba143e29fa6703241007923e318ed420fd8281719b89b17177982bc5');
INSERT INTO "definition" VALUES('customer_details_change',1,'b4ef81a0b3a3b34e03abc468c12c5605efb08c9a4bfabca40bc5e36c327e7a3e');
INSERT INTO "definition" VALUES('faq_entry',1,'a3c9b9782bff3581251639064ac448d6d7a84e057d719a5e850c99b9c591e175');
INSERT INTO "definition" VALUES('login_address_change',1,'050ad02e3a4dfd9d8cfe4089985c894db6fb2f2c40fb7b69383cc3ded8e70ef9');
INSERT INTO "definition" VALUES('notice',1,'f257a7e9f4913070943e82f2369ce790ab2bdcd926e237e40b7d21909bdcc3cd');
INSERT INTO "definition" VALUES('password_change',1,'94cf21d93c0af6a895e5368398b7b2055e3fd658aa2e3eedfe94f23748371b78');
INSERT INTO "definition" VALUES('password_reset',1,'15c7e7fbd1a65d1fc86b8ddf00a1b29f1ba17f0dbdf957c270df7722c6a7b0b4');
INSERT INTO "definition" VALUES('payment_method_change',1,'a9c5ea73d73d4866488f44031357cd48e0588ebc556658dfbda0c2e79336691a');
CREATE TABLE faq_entry (
    id VARCHAR(16) NOT NULL PRIMARY KEY,
    instance BIGINT NOT NULL,
    category VARCHAR(50) NOT NULL,
    product VARCHAR(32) NOT NULL,
    position INTEGER NOT NULL,
    question_ja VARCHAR(200) NOT NULL,
    answer_ja TEXT NOT NULL,
    question_en VARCHAR(200) NOT NULL,
    answer_en TEXT NOT NULL,
    shown INTEGER NOT NULL,
    updated_at DATETIME NOT NULL
);
INSERT INTO "faq_entry" VALUES('de0000000001',4,'アカウント','',10,'お客様番号はどこで確認できますか','ご開通時のメール、請求書ハガキ、PDF納品書／請求書に記載されています。','Where do I find our customer number?','In the mail of the opening, on the billing postcard, and on PDF delivery notes and invoices.',1,'2026-04-01 09:00:00.000000');
INSERT INTO "faq_entry" VALUES('de0000000002',5,'アカウント','',20,'アカウント作成のメールが届きません','迷惑メールフォルダーをご確認ください。メールは aporder@desknets.com からお送りしています。','The mail with the link does not arrive','Please look in the junk folder. Our mails come from aporder@desknets.com.',1,'2026-04-01 09:00:00.000000');
INSERT INTO "faq_entry" VALUES('de0000000003',6,'ご利用環境','',10,'ディスク使用容量を確認したい','サポートサイトTOPの「貴社環境のディスク使用容量確認」でご覧いただけます。','How much disk space do we use?','See the disk usage on the TOP page of this site.',1,'2026-04-01 09:00:00.000000');
CREATE TABLE history (
    instance_id BIGINT NOT NULL,
    seq INTEGER NOT NULL,
    event VARCHAR(64) NOT NULL,
    source VARCHAR(64) NOT NULL,
    target VARCHAR(64) NOT NULL,
    actor VARCHAR(128) NOT NULL,
    at DATETIME NOT NULL,
    due_at DATETIME,
    data TEXT NOT NULL,
    mac BLOB NOT NULL,
    PRIMARY KEY (instance_id, seq)
) WITHOUT ROWID;
INSERT INTO "history" VALUES(1,1,'start','','draft','staff:1','2026-04-01 09:00:00.000000',NULL,'{}',X'7B706609046A63F0D19F9A5261C71F3937A0434F8D6327DA58393B238E6F8333');
INSERT INTO "history" VALUES(1,2,'publish','draft','published','staff:1','2026-04-01 09:00:00.000000',NULL,'{"notify":false}',X'6CA07B12E3F0A43F02DB8C48AFFCE97B39006CA925ABB11AEDE3CB1FEC327FBF');
INSERT INTO "history" VALUES(2,1,'start','','draft','staff:1','2026-04-01 09:00:00.000000',NULL,'{}',X'180AE6FB086FD215F2C0DC0B27BD881F6A13F9790D75A8AA074000E8251742A0');
INSERT INTO "history" VALUES(2,2,'publish','draft','published','staff:1','2026-04-01 09:00:00.000000',NULL,'{"notify":false}',X'EE855F92C98D86FBAF34AB84A5FFA2FAB55B4DCC731FBF0716591F922E663FE2');
INSERT INTO "history" VALUES(3,1,'start','','draft','staff:1','2026-04-01 09:00:00.000000',NULL,'{}',X'8B51AA15F30E9400E05F31FEF1E7D3EAD2BEFCB7A0E51D6176523C0C69118B10');
INSERT INTO "history" VALUES(3,2,'publish','draft','published','staff:1','2026-04-01 09:00:00.000000',NULL,'{"notify":false}',X'38AF3B50E588ECEF8E10337CEF3180D0D9D0FC1D563DD6FD0343AF551A4B4630');
INSERT INTO "history" VALUES(3,3,'update','published','published','staff:1','2026-04-01 09:00:00.000000',NULL,'{"notify":false,"status":"working"}',X'2B6D855F8600EB80C73503423C236990B3734CE9C9CDEE74394626294D20D6E3');
INSERT INTO "history" VALUES(4,1,'start','','hidden','staff:1','2026-04-01 09:00:00.000000',NULL,'{}',X'9A92D7087168AB64A42D7B0616CD12C12368D48BAFBFA2F8A5B14853E8129D42');
INSERT INTO "history" VALUES(4,2,'show','hidden','shown','staff:1','2026-04-01 09:00:00.000000',NULL,'{}',X'B234D3715AF8ED61371603D2F55DADF871193CFBAFA756E049C5A9FE5F78545D');
INSERT INTO "history" VALUES(5,1,'start','','hidden','staff:1','2026-04-01 09:00:00.000000',NULL,'{}',X'965A578411E03CD5D5F37F9097DE9365C85B97AAB329170360B9BC9D45185E95');
INSERT INTO "history" VALUES(5,2,'show','hidden','shown','staff:1','2026-04-01 09:00:00.000000',NULL,'{}',X'4189DA5453559C5DF3959C9FDB49449A5A20AA23D92B69AB6DD252A3F33FEFFB');
INSERT INTO "history" VALUES(6,1,'start','','hidden','staff:1','2026-04-01 09:00:00.000000',NULL,'{}',X'EBFFC0183EAB9F70B1D0598E72C7C0B3B5B92920B77CB45C69527AB1E7BA29A8');
INSERT INTO "history" VALUES(6,2,'show','hidden','shown','staff:1','2026-04-01 09:00:00.000000',NULL,'{}',X'0BB805A80CA8E9D9279327B9DA725ECC727C5C29D701CA0C1C803C6279150FA6');
INSERT INTO "history" VALUES(7,1,'start','','draft','staff:1','2026-04-01 09:00:00.000000',NULL,'{}',X'4AE37AE8EFB7E7C2BFBAEB5A660D97AAC4D946AA8F89304B07247048878B544B');
INSERT INTO "history" VALUES(7,2,'publish','draft','published','staff:1','2026-04-01 09:00:00.000000',NULL,'{"notify":false}',X'7EB6B22295F7C5518CD2C3300334F1218A1861B55B0B921F926A1277053B83EA');
INSERT INTO "history" VALUES(8,1,'start','','draft','staff:1','2026-04-01 09:00:00.000000',NULL,'{}',X'4E42C12E3A876C857AAFCFE98E2DA8B4D571C719326FFA4D83C1C2F1BDF8247A');
INSERT INTO "history" VALUES(9,1,'start','','requested','account:3','2026-04-01 09:00:00.000000',NULL,'{"effective_on":"2026-05-01","kind":"options"}',X'A09BD606DFA70F3203DADC688C3E98926EBBE95848AB970B2B672376DA3AF720');
INSERT INTO "history" VALUES(9,2,'triage','requested','in_review','system','2026-04-01 09:00:00.000000','2026-04-01 09:00:00.000000','{}',X'24AFED3C2734DD7DD6F1E39696E8D6025C74815BD216CBD43F58AF309884C57D');
INSERT INTO "history" VALUES(10,1,'start','','requested','account:3','2026-04-01 09:00:00.000000',NULL,'{}',X'B9727F2FCD3D6B6E4C2F85000620241E00A4F146A1757BF59D2AACC54AC79B97');
INSERT INTO "history" VALUES(10,2,'triage','requested','in_review','system','2026-04-01 09:00:00.000000','2026-04-01 09:00:00.000000','{}',X'52B7D5B415868469E92FE99C4CFC4B589B47656A4D7306F5BAA9BC8081A7D696');
INSERT INTO "history" VALUES(11,1,'start','','requested','account:3','2026-04-01 09:00:00.000000',NULL,'{"method":"direct_debit"}',X'F07F41F94026CC702F6F86E09C962C84FDD75B725DEC64CFF38F3CC710704DA9');
INSERT INTO "history" VALUES(11,2,'triage','requested','awaiting_form','system','2026-04-01 09:00:00.000000','2026-04-01 09:00:00.000000','{}',X'520EF8C5C8A3D0CFFC6C2F5FCC056782C9777341666CE3A5F1549F34D488DEDD');
INSERT INTO "history" VALUES(12,1,'start','','requested','account:3','2026-04-01 09:00:00.000000',NULL,'{"method":"credit_card"}',X'BE9686EA2334BA8DE8233E99E64241AC3E82527827AD5BDC96864D7C533C9F3A');
INSERT INTO "history" VALUES(12,2,'triage','requested','awaiting_page','system','2026-04-01 09:00:00.000000','2026-04-01 09:00:00.000000','{}',X'BDF17F9E1C0425AB46CF59C6DF9622F61380561991ED1B94BA2E08DB9B351456');
INSERT INTO "history" VALUES(12,3,'open_page','awaiting_page','awaiting_page','account:3','2026-04-01 09:00:00.000000',NULL,'{}',X'632FC9D59EA484431EEC8A84BE0E5DD93A2FB26C42A4CC1B49B378F63B4349F8');
INSERT INTO "history" VALUES(13,1,'start','','requested','visitor:6260ab88a382ed10','2026-04-01 09:00:00.000000',NULL,'{}',X'049BCA827101D8BD2F048D69ABE2B4F9362ED8C8F051B02A595952ABF0B9E7DF');
INSERT INTO "history" VALUES(13,2,'sent','requested','emailed','system','2026-04-01 09:00:00.000000',NULL,'{}',X'A62367A40587B3DFEBCD813AF8978D2F22FDE06BE593B32E795383DD0806E131');
INSERT INTO "history" VALUES(14,1,'start','','requested','account:4','2026-04-01 09:00:00.000000',NULL,'{"role":"viewer"}',X'8DBB4EF3B95D587A491675B479603E0CE9C587D22C44FCB975A56913DBFC6873');
INSERT INTO "history" VALUES(14,2,'sent','requested','emailed','system','2026-04-01 09:00:00.000000',NULL,'{}',X'9CACFD6FFCB573890432D3BFC51FE772B5159678CB6FA9D7AEA4508427BE234D');
INSERT INTO "history" VALUES(15,1,'start','','asked','visitor','2026-04-01 09:00:00.000000',NULL,'{}',X'A4F9113C0B928E0BAA679862386B180359028CB5A439A5AC8158AAD95AD8E1A5');
INSERT INTO "history" VALUES(15,2,'look','asked','requested','system','2026-04-01 09:00:00.000000','2026-04-01 09:00:00.000000','{}',X'D3B65363AC2AE1D22DC8BF6C97666985BEEC2D215358D83E3F4B427FFC58F1CA');
INSERT INTO "history" VALUES(15,3,'sent','requested','emailed','system','2026-04-01 09:00:00.000000',NULL,'{}',X'5BBEDD658308C83587013AE91293DD52143BCDF36A26B4E7F1BBB7D0AECBAE9A');
INSERT INTO "history" VALUES(16,1,'start','','requested','account:2','2026-04-01 09:00:00.000000',NULL,'{}',X'024C137DBBBF4760D5755A5F85251B5936B4E81290CCA95DE3BA54708CEC66A0');
INSERT INTO "history" VALUES(16,2,'sent','requested','emailed','system','2026-04-01 09:00:00.000000',NULL,'{}',X'46F9728AB41E931768D8C48ADD2E42558D75BC22946CF7B02B7765F8E6CFB000');
INSERT INTO "history" VALUES(17,1,'start','','requested','account:4','2026-04-01 09:00:00.000000',NULL,'{}',X'6FB78F71DCF40B9F8595321D3EB2CD879EF98DB5776C22F5BB3BEFF14F425AC2');
INSERT INTO "history" VALUES(17,2,'sent','requested','emailed','system','2026-04-01 09:00:00.000000',NULL,'{}',X'8C1BE87604363D84751AEE591CF95714D090F58E44D95D85530BE446536AE44A');
INSERT INTO "history" VALUES(18,1,'start','','changed','account:4','2026-04-01 09:00:00.000000',NULL,'{"role":"editor"}',X'EF8F295F10334FABEC162D42EB1EC8375390FD79F592A2BBC88A7FBD954E6264');
INSERT INTO "history" VALUES(19,1,'start','','requested','account:4','2026-04-01 09:00:00.000000',NULL,'{"role":"viewer"}',X'F51BB4E391C4F7DDD5397CBCCDAA331877B19727F0D9757CFFA41A2BBF8E9438');
CREATE TABLE instance (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    workflow VARCHAR(64) NOT NULL,
    version INTEGER NOT NULL,
    subject VARCHAR(128) NOT NULL,
    state VARCHAR(64) NOT NULL,
    seq INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    head BLOB NOT NULL
);
INSERT INTO "instance" VALUES(1,'notice',1,'notice:de0000000001','published',2,0,X'6CA07B12E3F0A43F02DB8C48AFFCE97B39006CA925ABB11AEDE3CB1FEC327FBF');
INSERT INTO "instance" VALUES(2,'notice',1,'notice:de0000000002','published',2,0,X'EE855F92C98D86FBAF34AB84A5FFA2FAB55B4DCC731FBF0716591F922E663FE2');
INSERT INTO "instance" VALUES(3,'notice',1,'notice:de0000000003','published',3,0,X'2B6D855F8600EB80C73503423C236990B3734CE9C9CDEE74394626294D20D6E3');
INSERT INTO "instance" VALUES(4,'faq_entry',1,'faq:de0000000001','shown',2,0,X'B234D3715AF8ED61371603D2F55DADF871193CFBAFA756E049C5A9FE5F78545D');
INSERT INTO "instance" VALUES(5,'faq_entry',1,'faq:de0000000002','shown',2,0,X'4189DA5453559C5DF3959C9FDB49449A5A20AA23D92B69AB6DD252A3F33FEFFB');
INSERT INTO "instance" VALUES(6,'faq_entry',1,'faq:de0000000003','shown',2,0,X'0BB805A80CA8E9D9279327B9DA725ECC727C5C29D701CA0C1C803C6279150FA6');
INSERT INTO "instance" VALUES(7,'notice',1,'notice:aaaaaaaaaaaa','published',2,0,X'7EB6B22295F7C5518CD2C3300334F1218A1861B55B0B921F926A1277053B83EA');
INSERT INTO "instance" VALUES(8,'notice',1,'notice:bbbbbbbbbbbb','draft',1,0,X'4E42C12E3A876C857AAFCFE98E2DA8B4D571C719326FFA4D83C1C2F1BDF8247A');
INSERT INTO "instance" VALUES(9,'contract_change',1,'contract:1','in_review',2,0,X'24AFED3C2734DD7DD6F1E39696E8D6025C74815BD216CBD43F58AF309884C57D');
INSERT INTO "instance" VALUES(10,'customer_details_change',1,'customer:1','in_review',2,0,X'52B7D5B415868469E92FE99C4CFC4B589B47656A4D7306F5BAA9BC8081A7D696');
INSERT INTO "instance" VALUES(11,'payment_method_change',1,'contract:1','awaiting_form',2,0,X'520EF8C5C8A3D0CFFC6C2F5FCC056782C9777341666CE3A5F1549F34D488DEDD');
INSERT INTO "instance" VALUES(12,'payment_method_change',1,'contract:2','awaiting_page',3,0,X'632FC9D59EA484431EEC8A84BE0E5DD93A2FB26C42A4CC1B49B378F63B4349F8');
INSERT INTO "instance" VALUES(13,'account_creation',1,'customer:1','emailed',2,0,X'A62367A40587B3DFEBCD813AF8978D2F22FDE06BE593B32E795383DD0806E131');
INSERT INTO "instance" VALUES(14,'account_invitation',1,'customer:1','emailed',2,0,X'9CACFD6FFCB573890432D3BFC51FE772B5159678CB6FA9D7AEA4508427BE234D');
INSERT INTO "instance" VALUES(15,'password_reset',1,'account:2','emailed',3,0,X'5BBEDD658308C83587013AE91293DD52143BCDF36A26B4E7F1BBB7D0AECBAE9A');
INSERT INTO "instance" VALUES(16,'login_address_change',1,'account:2','emailed',2,0,X'46F9728AB41E931768D8C48ADD2E42558D75BC22946CF7B02B7765F8E6CFB000');
INSERT INTO "instance" VALUES(17,'contractor_email_change',1,'customer:1','emailed',2,0,X'8C1BE87604363D84751AEE591CF95714D090F58E44D95D85530BE446536AE44A');
INSERT INTO "instance" VALUES(18,'account_role_change',1,'account:5','changed',1,0,X'EF8F295F10334FABEC162D42EB1EC8375390FD79F592A2BBC88A7FBD954E6264');
INSERT INTO "instance" VALUES(19,'account_invitation',1,'customer:1','requested',1,0,X'F51BB4E391C4F7DDD5397CBCCDAA331877B19727F0D9757CFFA41A2BBF8E9438');
CREATE TABLE invitation (
    instance BIGINT NOT NULL PRIMARY KEY,
    customer_id BIGINT NOT NULL REFERENCES customer (id) ON DELETE CASCADE,
    email VARCHAR(254),
    user_name VARCHAR(100) NOT NULL,
    role VARCHAR(16) NOT NULL,
    language VARCHAR(8) NOT NULL,
    invited_by BIGINT NOT NULL,
    created_at DATETIME NOT NULL,
    account_id BIGINT REFERENCES account (id) ON DELETE CASCADE
) WITHOUT ROWID;
INSERT INTO "invitation" VALUES(14,1,'shotai@customer.example','見本 招待子','viewer','ja',4,'2026-04-01 09:00:00.000000',NULL);
INSERT INTO "invitation" VALUES(19,1,'machi@customer.example','見本 待子','viewer','ja',4,'2026-04-01 09:00:00.000000',NULL);
CREATE TABLE ledger_booking (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key VARCHAR(200) NOT NULL,
    customer_number VARCHAR(32) NOT NULL,
    contract BIGINT,
    kind VARCHAR(32) NOT NULL,
    effective_on DATE NOT NULL,
    terms TEXT NOT NULL,
    recurring_total BIGINT,
    due_total BIGINT,
    digest VARCHAR(64) NOT NULL
);
CREATE TABLE mandate (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    instance BIGINT NOT NULL,
    customer_id BIGINT NOT NULL REFERENCES customer (id) ON DELETE CASCADE,
    contract_id BIGINT NOT NULL REFERENCES contract (id) ON DELETE CASCADE,
    method VARCHAR(32) NOT NULL,
    way VARCHAR(8) NOT NULL,
    label VARCHAR(200) NOT NULL,
    sealed TEXT NOT NULL,
    reference VARCHAR(255) NOT NULL,
    due_at DATETIME,
    active_from DATE,
    ended_on DATE,
    in_use BIGINT,
    booking VARCHAR(16) NOT NULL
, booking_key VARCHAR(200) NOT NULL DEFAULT '');
INSERT INTO "mandate" VALUES(1,11,1,1,'direct_debit','form','みずほ銀行 丸之内支店 普通 ****567','21FevJ4wxPitek6xz0Bt4In_F4Ms-zTWOnfPSQfclrm3CLRzCX0_Fxmu9YhrxCh1xAxCNil-q9UFfIgRalR3Ctd5R6BJYs5t9xL7PFFECGyL0fUY-X2QYgAszhrZiChEbNfnPQ33iMi_-uVDY8htZV2Lr0jHt4abkABBt_63v9wmnnTRCKll3GwPYjm4Gg_HyH_QjGX9G8vANPT4OMq8URokMaqGWRyC9q5WjE6QrnfU5lLXCf6OVWpMzlQDT3qJLPFni3aLjFm1wacoKb25iw==','','2026-05-31 09:00:00.000000',NULL,NULL,NULL,'','');
INSERT INTO "mandate" VALUES(2,12,1,2,'credit_card','page','','','f65082206f655094b5758f294b11e569','2026-04-02 09:00:00.000000',NULL,NULL,NULL,'','');
CREATE TABLE "migration_engine" ("id" INTEGER NOT NULL PRIMARY KEY, "name" VARCHAR(255) NOT NULL, "applied" DATETIME NOT NULL);
INSERT INTO "migration_engine" VALUES(1,'0001_engine','2026-11-28 14:52:55.483772');
INSERT INTO "migration_engine" VALUES(2,'0003_watching','2026-11-28 14:52:55.484599');
INSERT INTO "migration_engine" VALUES(3,'0004_places','2026-11-28 14:52:55.485137');
CREATE TABLE "migration_ledger" ("id" INTEGER NOT NULL PRIMARY KEY, "name" VARCHAR(255) NOT NULL, "applied" DATETIME NOT NULL);
INSERT INTO "migration_ledger" VALUES(1,'0001_bookings','2026-11-28 14:52:55.511011');
CREATE TABLE "migration_workflows" ("id" INTEGER NOT NULL PRIMARY KEY, "name" VARCHAR(255) NOT NULL, "applied" DATETIME NOT NULL);
INSERT INTO "migration_workflows" VALUES(1,'0001_records','2026-11-28 14:52:55.491455');
INSERT INTO "migration_workflows" VALUES(2,'0002_requests','2026-11-28 14:52:55.495105');
INSERT INTO "migration_workflows" VALUES(3,'0003_invitations','2026-11-28 14:52:55.495948');
INSERT INTO "migration_workflows" VALUES(4,'0004_address_changes','2026-11-28 14:52:55.496674');
INSERT INTO "migration_workflows" VALUES(5,'0006_contract_change','2026-11-28 14:52:55.498544');
INSERT INTO "migration_workflows" VALUES(6,'0007_payments','2026-11-28 14:52:55.499463');
INSERT INTO "migration_workflows" VALUES(7,'0008_staff','2026-11-28 14:52:55.502975');
INSERT INTO "migration_workflows" VALUES(8,'0009_notices','2026-11-28 14:52:55.504024');
INSERT INTO "migration_workflows" VALUES(9,'0010_booking_keys','2026-11-28 14:52:55.505002');
INSERT INTO "migration_workflows" VALUES(10,'0012_changes_ahead','2026-11-28 14:52:55.506726');
CREATE TABLE notice (
    id VARCHAR(16) NOT NULL PRIMARY KEY,
    instance BIGINT NOT NULL,
    kind VARCHAR(16) NOT NULL,
    products TEXT NOT NULL,
    status VARCHAR(16) NOT NULL,
    window_start DATETIME,
    window_end DATETIME,
    publish_at DATETIME,
    closes_at DATETIME,
    revision INTEGER NOT NULL,
    announced INTEGER NOT NULL,
    updated_at DATETIME NOT NULL
);
INSERT INTO "notice" VALUES('de0000000001',1,'news','','',NULL,NULL,'2026-04-01 09:00:00.000000','2027-04-01 09:00:00.000000',1,0,'2026-04-01 09:00:00.000000');
INSERT INTO "notice" VALUES('de0000000002',2,'maintenance','desknets-neo','','2026-04-10 13:00:00.000000','2026-04-10 17:00:00.000000','2026-04-01 09:00:00.000000','2026-04-13 17:00:00.000000',1,0,'2026-04-01 09:00:00.000000');
INSERT INTO "notice" VALUES('de0000000003',3,'outage','desknets-neo','working',NULL,NULL,'2026-04-01 09:00:00.000000','2027-04-01 09:00:00.000000',2,0,'2026-04-01 09:00:00.000000');
INSERT INTO "notice" VALUES('aaaaaaaaaaaa',7,'outage','chatluck','investigating',NULL,NULL,'2026-04-01 09:00:00.000000','2027-04-01 09:00:00.000000',1,0,'2026-04-01 09:00:00.000000');
INSERT INTO "notice" VALUES('bbbbbbbbbbbb',8,'outage','chatluck','investigating',NULL,NULL,NULL,NULL,1,0,'2026-04-01 09:00:00.000000');
CREATE TABLE notice_delivery (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    notice_id VARCHAR(16) NOT NULL REFERENCES notice (id) ON DELETE CASCADE,
    revision INTEGER NOT NULL,
    channel VARCHAR(64) NOT NULL,
    recipient VARCHAR(64) NOT NULL,
    state VARCHAR(16) NOT NULL,
    attempts INTEGER NOT NULL,
    due_at DATETIME NOT NULL,
    give_up_at DATETIME NOT NULL,
    error VARCHAR(500) NOT NULL
);
CREATE TABLE notice_revision (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    notice_id VARCHAR(16) NOT NULL REFERENCES notice (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    at DATETIME,
    status VARCHAR(16) NOT NULL,
    window_start DATETIME,
    window_end DATETIME,
    title_ja VARCHAR(200) NOT NULL,
    body_ja TEXT NOT NULL,
    title_en VARCHAR(200) NOT NULL,
    body_en TEXT NOT NULL,
    notify INTEGER NOT NULL,
    written_by BIGINT NOT NULL
);
INSERT INTO "notice_revision" VALUES(1,'de0000000001',1,'2026-04-01 09:00:00.000000','',NULL,NULL,'サポートサイトを開設しました','ご契約内容の確認やお手続きを、当サイトから行っていただけるようになりました。

どうぞご利用ください。','The support site is open','You can now look at your contract and ask for changes on this site.',0,1);
INSERT INTO "notice_revision" VALUES(2,'de0000000002',1,'2026-04-01 09:00:00.000000','','2026-04-10 13:00:00.000000','2026-04-10 17:00:00.000000','定期メンテナンスのお知らせ','サーバーの定期メンテナンスを実施します。
期間中はサービスをご利用いただけません。','Regular maintenance','We will maintain the servers. The service will not be available during this time.',0,1);
INSERT INTO "notice_revision" VALUES(3,'de0000000003',1,'2026-04-01 09:00:00.000000','investigating',NULL,NULL,'一部のお客様でログインに時間がかかる事象について','現在、一部のお客様でログインに時間がかかる事象が発生しており、原因を調査しております。','Slow log-in for some customers','Logging in takes long for some customers. We are looking into it.',0,1);
INSERT INTO "notice_revision" VALUES(4,'de0000000003',2,'2026-04-01 09:00:00.000000','working',NULL,NULL,'一部のお客様でログインに時間がかかる事象について','原因を特定し、復旧作業を進めております。復旧までいましばらくお待ちください。','Slow log-in for some customers','We have found the cause and are working on it. Thank you for your patience.',0,1);
INSERT INTO "notice_revision" VALUES(5,'aaaaaaaaaaaa',1,'2026-04-01 09:00:00.000000','investigating',NULL,NULL,'チャットの障害について','調べています。','Trouble','We look into it.',0,1);
INSERT INTO "notice_revision" VALUES(6,'bbbbbbbbbbbb',1,NULL,'investigating',NULL,NULL,'チャットの障害について','調べています。','Trouble','We look into it.',0,1);
CREATE TABLE outbox (
    instance_id BIGINT NOT NULL,
    seq INTEGER NOT NULL,
    position INTEGER NOT NULL,
    kind VARCHAR(32) NOT NULL,
    name VARCHAR(64) NOT NULL,
    recipient VARCHAR(64) NOT NULL,
    language VARCHAR(8) NOT NULL,
    figures TEXT NOT NULL,
    generation INTEGER NOT NULL,
    state VARCHAR(16) NOT NULL,
    attempts INTEGER NOT NULL,
    claims INTEGER NOT NULL,
    delivered INTEGER NOT NULL,
    due_at DATETIME NOT NULL,
    deadline_at DATETIME NOT NULL,
    leased_by VARCHAR(64) NOT NULL,
    error TEXT NOT NULL,
    PRIMARY KEY (instance_id, seq, position)
) WITHOUT ROWID;
INSERT INTO "outbox" VALUES(1,2,0,'notice','announcement','','','{"revision":1}',0,'done',1,1,0,'2026-04-01 09:04:00.000000','2026-04-04 09:00:00.000000','vm:205ad657f865','');
INSERT INTO "outbox" VALUES(2,2,0,'notice','announcement','','','{"revision":1}',0,'done',1,1,0,'2026-04-01 09:04:00.000000','2026-04-04 09:00:00.000000','vm:205ad657f865','');
INSERT INTO "outbox" VALUES(3,2,0,'notice','announcement','','','{"revision":1}',0,'done',1,1,0,'2026-04-01 09:04:00.000000','2026-04-04 09:00:00.000000','vm:205ad657f865','');
INSERT INTO "outbox" VALUES(3,3,0,'notice','announcement','','','{"revision":2}',0,'done',1,1,0,'2026-04-01 09:04:00.000000','2026-04-04 09:00:00.000000','vm:205ad657f865','');
INSERT INTO "outbox" VALUES(7,2,0,'notice','announcement','','','{"revision":1}',0,'done',1,1,0,'2026-04-01 09:04:00.000000','2026-04-04 09:00:00.000000','vm:205ad657f865','');
INSERT INTO "outbox" VALUES(9,1,0,'mail','contract_change_receipt','contractor','ja','{"effective_on":"2026-05-01"}',0,'done',1,1,0,'2026-04-01 09:04:00.000000','2026-04-04 09:00:00.000000','vm:205ad657f865','');
INSERT INTO "outbox" VALUES(9,2,0,'mail','contract_change_review','staff','ja','{"effective_on":"2026-05-01"}',0,'done',1,1,0,'2026-04-01 09:04:00.000000','2026-04-04 09:00:00.000000','vm:205ad657f865','');
INSERT INTO "outbox" VALUES(10,1,0,'mail','details_received','contractor','ja','{}',0,'done',1,1,0,'2026-04-01 09:04:00.000000','2026-04-04 09:00:00.000000','vm:205ad657f865','');
INSERT INTO "outbox" VALUES(10,2,0,'mail','details_review','staff','ja','{}',0,'done',1,1,0,'2026-04-01 09:04:00.000000','2026-04-04 09:00:00.000000','vm:205ad657f865','');
INSERT INTO "outbox" VALUES(11,1,0,'mail','received','contractor','ja','{}',0,'done',1,1,0,'2026-04-01 09:04:00.000000','2026-04-04 09:00:00.000000','vm:205ad657f865','');
INSERT INTO "outbox" VALUES(11,2,0,'mail','form_ready','contractor','ja','{}',0,'done',1,1,0,'2026-04-01 09:04:00.000000','2026-04-04 09:00:00.000000','vm:205ad657f865','');
INSERT INTO "outbox" VALUES(12,1,0,'mail','received','contractor','ja','{}',0,'done',1,1,0,'2026-04-01 09:04:00.000000','2026-04-04 09:00:00.000000','vm:205ad657f865','');
INSERT INTO "outbox" VALUES(12,2,0,'payment','confirm','','','{}',0,'waiting',1,1,0,'2026-04-01 09:05:00.000000','2026-04-03 09:00:00.000000','vm:205ad657f865','the provider''s page was not opened yet');
INSERT INTO "outbox" VALUES(13,1,0,'mail','account_creation','applicant','ja','{}',0,'done',1,1,0,'2026-04-01 09:04:00.000000','2026-04-04 09:00:00.000000','vm:205ad657f865','');
INSERT INTO "outbox" VALUES(14,1,0,'mail','account_invitation','invited','ja','{}',0,'done',1,1,0,'2026-04-01 09:04:00.000000','2026-04-04 09:00:00.000000','vm:205ad657f865','');
INSERT INTO "outbox" VALUES(15,2,0,'mail','password_reset','account','ja','{}',0,'done',1,1,0,'2026-04-01 09:04:00.000000','2026-04-01 21:00:00.000000','vm:205ad657f865','');
INSERT INTO "outbox" VALUES(16,1,0,'mail','login_address_confirm','new','ja','{}',0,'done',1,1,0,'2026-04-01 09:04:00.000000','2026-04-04 09:00:00.000000','vm:205ad657f865','');
INSERT INTO "outbox" VALUES(16,1,1,'mail','login_address_notice','old','ja','{}',0,'done',1,1,0,'2026-04-01 09:04:00.000000','2026-04-04 09:00:00.000000','vm:205ad657f865','');
INSERT INTO "outbox" VALUES(17,1,0,'mail','contractor_email_confirm','new','ja','{}',0,'done',1,1,0,'2026-04-01 09:04:00.000000','2026-04-04 09:00:00.000000','vm:205ad657f865','');
INSERT INTO "outbox" VALUES(17,1,1,'mail','contractor_email_notice','old','ja','{}',0,'done',1,1,0,'2026-04-01 09:04:00.000000','2026-04-04 09:00:00.000000','vm:205ad657f865','');
INSERT INTO "outbox" VALUES(18,1,0,'mail','role_changed','account','ja','{"role":"editor"}',0,'incident',1,1,0,'2026-04-01 09:00:00.000000','2026-04-04 09:00:00.000000','vm:205ad657f865','550: no such user');
INSERT INTO "outbox" VALUES(19,1,0,'mail','account_invitation','invited','ja','{}',0,'waiting',0,0,0,'2026-04-01 09:00:00.000000','2026-04-04 09:00:00.000000','','');
CREATE TABLE password_reset (
    account_id BIGINT NOT NULL PRIMARY KEY REFERENCES account (id) ON DELETE CASCADE,
    instance BIGINT NOT NULL
) WITHOUT ROWID;
INSERT INTO "password_reset" VALUES(2,15);
CREATE TABLE payment_event (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    provider VARCHAR(32) NOT NULL,
    event VARCHAR(255) NOT NULL,
    instance BIGINT NOT NULL,
    received_at DATETIME NOT NULL
);
CREATE TABLE pending_application (
    token VARCHAR(64) NOT NULL PRIMARY KEY,
    customer_id BIGINT NOT NULL REFERENCES customer (id) ON DELETE CASCADE,
    email VARCHAR(254) NOT NULL,
    user_name VARCHAR(100) NOT NULL,
    password_hash VARCHAR(255) NOT NULL,
    expires_at DATETIME NOT NULL
);
INSERT INTO "pending_application" VALUES('80a4b14b9ffa6ceba043dd4e202080f96a6e72fb7ff2756dbb071f88ddd46e39',1,'moushikomi@customer.example','見本 花子','$argon2id$v=19$m=8,t=1,p=1$mJTdSGnU0VAPSRymRYGm9g$vFyC3g0ffwreZ7925d33i+cNyGuSQlGWd28lzt3y4iw','2026-04-01 09:01:00.000000');
CREATE TABLE removed_account (
    instance BIGINT NOT NULL PRIMARY KEY,
    customer_id BIGINT NOT NULL REFERENCES customer (id) ON DELETE CASCADE,
    email VARCHAR(254) NOT NULL,
    user_name VARCHAR(100) NOT NULL,
    language VARCHAR(8) NOT NULL
) WITHOUT ROWID;
CREATE TABLE request (
    actor VARCHAR(128) NOT NULL,
    key VARCHAR(128) NOT NULL,
    instance_id BIGINT NOT NULL,
    seq INTEGER NOT NULL,
    digest BLOB NOT NULL,
    PRIMARY KEY (actor, key)
) WITHOUT ROWID;
INSERT INTO "request" VALUES('visitor:6260ab88a382ed10','6260ab88a382ed10-0cd48589504500bb',13,1,X'C3B83EE2B43B5C3634B5A09FA0673449A37710AC14639321161D8C567111DB2F');
CREATE TABLE session (
    token VARCHAR(64) NOT NULL PRIMARY KEY,
    account_id BIGINT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    created_at DATETIME NOT NULL,
    seen_at DATETIME NOT NULL
);
INSERT INTO "session" VALUES('4db9d5500f236eb3a17c2b202ecad67f387ff6b6cff3c2ff80f1c38cb22f41d3',3,'2026-04-01 09:00:00.000000','2026-04-01 09:00:00.000000');
INSERT INTO "session" VALUES('38c1cc5223e2b60b172c4907803b2fc3d8bf36be4d38ee762718bcc60593435d',3,'2026-04-01 09:00:00.000000','2026-04-01 09:00:00.000000');
CREATE TABLE staff_member (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    email VARCHAR(254) NOT NULL,
    name VARCHAR(100) NOT NULL,
    password_hash VARCHAR(255) NOT NULL,
    totp_secret VARCHAR(255) NOT NULL,
    active INTEGER NOT NULL,
    created_at DATETIME NOT NULL
, totp_step BIGINT NOT NULL DEFAULT 0);
INSERT INTO "staff_member" VALUES(1,'tanto@office.example','担当 一郎','$argon2id$v=19$m=8,t=1,p=1$M0PZ+h+mKa6Q6OO/7/EdBQ$VUGb/6j7We2zlVudkVQpBF9nmE6zRkUkaWWaYn3n6qU','AujfAkbYnICxjHn4YWqhuaj2rOQSEy3OQliVP8-77zNsWjiUT9zhCbFAoOTaqKAJRi4QM8yTRhPZ2SHM',1,'2026-04-01 09:00:00.000000',59167799);
INSERT INTO "staff_member" VALUES(2,'taishoku@office.example','退職 次郎','$argon2id$v=19$m=8,t=1,p=1$LVIZi1N3innMamz//l9CCQ$hVZJsMbojweL2ftKlUOBzn2Nx9VysaPGiPtSGDyS14k','secapvgKogt51k9GLyY03aoTIlhbghTYrJ3kRen6nliXioVN24cRskjySuIbcs8F5eFaL3UYaGOVmjLi',1,'2026-04-01 09:00:00.000000',59167799);
INSERT INTO "staff_member" VALUES(3,'shinjin@office.example','新人 三郎','','',1,'2026-04-01 09:00:00.000000',0);
CREATE TABLE staff_session (
    token VARCHAR(64) NOT NULL PRIMARY KEY,
    member_id BIGINT NOT NULL REFERENCES staff_member (id) ON DELETE CASCADE,
    created_at DATETIME NOT NULL,
    seen_at DATETIME NOT NULL
) WITHOUT ROWID;
CREATE TABLE staff_set_up (
    token VARCHAR(64) NOT NULL PRIMARY KEY,
    member_id BIGINT NOT NULL REFERENCES staff_member (id) ON DELETE CASCADE,
    totp_secret VARCHAR(255) NOT NULL,
    expires_at DATETIME NOT NULL
) WITHOUT ROWID;
INSERT INTO "staff_set_up" VALUES('dd6981d0d07e3e203aea1a662138afffe05b4bb0173ee3bf55e4679afde7e79b',3,'rMpBzWU5-T8tVh98ZV3_yylgB0SL7bABmt_oTN49Ww8xIpECgHsJCbT3WbKNOgakY8uvHwacPWz4fgor','2026-04-02 09:00:00.000000');
CREATE TABLE throttle (
    bucket VARCHAR(64) NOT NULL PRIMARY KEY,
    full_at DATETIME NOT NULL
);
INSERT INTO "throttle" VALUES('140416f3ff9f4e1572c5420cfce555325a229110647e2082530525f3396481a3','2026-04-01 09:00:00.000000');
INSERT INTO "throttle" VALUES('6b9bd1cece08d0b8005389816c0130aee70d7937620e531b8ca13e0c11477095','2026-04-01 09:00:00.000000');
INSERT INTO "throttle" VALUES('83e712b8174d063270beef1d817929ede4ebf10c992cdd4a0c3a6549e3fc6516','2026-04-01 09:00:00.000000');
INSERT INTO "throttle" VALUES('1f869d526d7c3cc6d26c227c76ac5e13facea7238ddef9e0c95cca7af75fa1b8','2026-04-01 09:00:00.000000');
INSERT INTO "throttle" VALUES('7d57cf54f902d8f1b53b824820de66759f812b46bac6ecf9621b5ad90d3f3306','2026-04-01 09:00:00.000000');
INSERT INTO "throttle" VALUES('d7c45cca79ce2ee68b0a29b53dba717e2e9508de57c31080f78dc1b085fa825a','2026-04-01 09:00:00.000000');
INSERT INTO "throttle" VALUES('1e5eb4023499bbc8f263a5e48ad736e7a5fb0de258bad3f0c1734c746a2689cb','2026-04-01 09:15:00.000000');
INSERT INTO "throttle" VALUES('eedffd58c12dd37071ae3adf97ca328066e058b99d8a0eb56f73544d0e50ab56','2026-04-01 10:00:00.000000');
INSERT INTO "throttle" VALUES('98c056a437165b19e3457e3e66bd8d973b3b6d7e09bf32362befd0d6eabe1d0d','2026-04-01 09:00:00.000000');
CREATE TABLE timer (
    instance_id BIGINT NOT NULL,
    event VARCHAR(64) NOT NULL,
    due_at DATETIME NOT NULL,
    wake_at DATETIME NOT NULL,
    failures INTEGER NOT NULL,
    error TEXT NOT NULL,
    PRIMARY KEY (instance_id, event)
) WITHOUT ROWID;
INSERT INTO "timer" VALUES(1,'expire','2027-04-01 09:00:00.000000','2027-04-01 09:00:00.000000',0,'');
INSERT INTO "timer" VALUES(2,'expire','2026-04-13 17:00:00.000000','2026-04-13 17:00:00.000000',0,'');
INSERT INTO "timer" VALUES(3,'expire','2027-04-01 09:00:00.000000','2027-04-01 09:00:00.000000',0,'');
INSERT INTO "timer" VALUES(7,'expire','2027-04-01 09:00:00.000000','2027-04-01 09:00:00.000000',0,'');
INSERT INTO "timer" VALUES(9,'remind','2026-04-06 08:30:00.000000','2026-04-06 08:30:00.000000',0,'');
INSERT INTO "timer" VALUES(10,'remind','2026-04-06 08:30:00.000000','2026-04-06 08:30:00.000000',0,'');
INSERT INTO "timer" VALUES(11,'lapse','2026-05-31 09:00:00.000000','2026-05-31 09:00:00.000000',0,'');
INSERT INTO "timer" VALUES(11,'remind','2026-04-21 09:00:00.000000','2026-04-21 09:00:00.000000',0,'');
INSERT INTO "timer" VALUES(12,'lapse','2026-04-02 09:00:00.000000','2026-04-02 09:00:00.000000',0,'');
INSERT INTO "timer" VALUES(13,'expire','2026-04-02 09:00:00.000000','2026-04-02 09:00:00.000000',0,'');
INSERT INTO "timer" VALUES(14,'expire','2026-04-02 09:00:00.000000','2026-04-02 09:00:00.000000',0,'');
INSERT INTO "timer" VALUES(15,'expire','2026-04-01 10:00:00.000000','2026-04-01 10:00:00.000000',0,'');
INSERT INTO "timer" VALUES(16,'expire','2026-04-02 09:00:00.000000','2026-04-02 09:00:00.000000',0,'');
INSERT INTO "timer" VALUES(17,'expire','2026-04-02 09:00:00.000000','2026-04-02 09:00:00.000000',0,'');
INSERT INTO "timer" VALUES(19,'expire','2026-04-04 09:00:00.000000','2026-04-04 09:00:00.000000',0,'');
CREATE TABLE trace (instance_id BIGINT NOT NULL, seq INTEGER NOT NULL, traceparent VARCHAR(55) NOT NULL, PRIMARY KEY (instance_id, seq)) WITHOUT ROWID;
CREATE UNIQUE INDEX "migration_engine_name" ON "migration_engine" ("name");
CREATE INDEX instance_subject ON instance (subject);
CREATE INDEX timer_wake_at ON timer (wake_at);
CREATE INDEX outbox_due_at ON outbox (due_at) WHERE state IN ('waiting', 'leased');
CREATE INDEX outbox_incident ON outbox (instance_id) WHERE state = 'incident';
CREATE INDEX timer_failed ON timer (instance_id) WHERE failures > 0;
CREATE INDEX instance_place ON instance (workflow, version, state, id);
CREATE UNIQUE INDEX "migration_workflows_name" ON "migration_workflows" ("name");
CREATE UNIQUE INDEX customer_number ON customer (number);
CREATE INDEX contract_customer_id ON contract (customer_id);
CREATE UNIQUE INDEX contract_product_subdomain ON contract (product, subdomain);
CREATE UNIQUE INDEX account_customer_id_email ON account (customer_id, email);
CREATE INDEX pending_application_customer_id ON pending_application (customer_id);
CREATE INDEX pending_application_expires_at ON pending_application (expires_at);
CREATE INDEX session_account_id ON session (account_id);
CREATE INDEX session_seen_at ON session (seen_at);
CREATE INDEX throttle_full_at ON throttle (full_at)
;
CREATE UNIQUE INDEX staff_member_email ON staff_member (email);
CREATE INDEX change_request_customer_id ON change_request (customer_id);
CREATE INDEX change_request_contract_id ON change_request (contract_id);
CREATE UNIQUE INDEX change_request_slot ON change_request (slot)
;
CREATE UNIQUE INDEX invitation_customer_id_email ON invitation (customer_id, email);
CREATE INDEX invitation_account_id ON invitation (account_id);
CREATE INDEX removed_account_customer_id ON removed_account (customer_id)
;
CREATE INDEX address_change_customer_id ON address_change (customer_id);
CREATE UNIQUE INDEX address_change_slot ON address_change (slot)
;
CREATE UNIQUE INDEX contract_change_wish ON contract_change (wish)
;
CREATE UNIQUE INDEX mandate_instance ON mandate (instance);
CREATE UNIQUE INDEX mandate_in_use ON mandate (in_use);
CREATE INDEX mandate_customer_id ON mandate (customer_id);
CREATE INDEX mandate_contract_id ON mandate (contract_id);
CREATE UNIQUE INDEX payment_event_provider_event ON payment_event (provider, event)
;
CREATE INDEX staff_session_member_id ON staff_session (member_id);
CREATE INDEX staff_session_seen_at ON staff_session (seen_at);
CREATE UNIQUE INDEX staff_set_up_member_id ON staff_set_up (member_id);
CREATE INDEX staff_set_up_expires_at ON staff_set_up (expires_at)
;
CREATE UNIQUE INDEX notice_instance ON notice (instance);
CREATE INDEX notice_kind_closes_at ON notice (kind, closes_at);
CREATE UNIQUE INDEX notice_revision_notice_id_number ON notice_revision (notice_id, number);
CREATE UNIQUE INDEX notice_delivery_notice_id_revision_channel_recipient
    ON notice_delivery (notice_id, revision, channel, recipient);
CREATE INDEX notice_delivery_notice_id_state_due_at ON notice_delivery (notice_id, state, due_at);
CREATE UNIQUE INDEX faq_entry_instance ON faq_entry (instance)
;
CREATE UNIQUE INDEX "migration_ledger_name" ON "migration_ledger" ("name");
CREATE UNIQUE INDEX ledger_booking_key ON ledger_booking (key);
CREATE INDEX ledger_booking_contract ON ledger_booking (contract)
;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('customer',2);
INSERT INTO "sqlite_sequence" VALUES('contract',4);
INSERT INTO "sqlite_sequence" VALUES('account',5);
INSERT INTO "sqlite_sequence" VALUES('staff_member',3);
INSERT INTO "sqlite_sequence" VALUES('notice_revision',6);
INSERT INTO "sqlite_sequence" VALUES('instance',19);
INSERT INTO "sqlite_sequence" VALUES('mandate',2);
COMMIT;
