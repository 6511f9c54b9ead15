# A web server on loopback, for tests of what a GitLab server answers; source it behind lib.sh, and
# have at_end call stop_web.
command -v nginx >/dev/null && command -v openssl >/dev/null || skip_all 'needs nginx and openssl'

# Two servers of one nginx: the site's, and an attacker's whose certificate is as good; and the
# site's once more without TLS. Each logs who asked for what. Three more have certificates that are
# refused: expired, not valid yet, and of another host. A test adds to the site's in $web/site*.conf,
# and to the whole in $web/http*.conf.
web=$box/web
nginx_pid=
stop_web() {
	[ -n "$nginx_pid" ] || return 0
	kill "$nginx_pid" 2>/dev/null
	wait "$nginx_pid"
	nginx_pid=
}

# date_of WHEN: as certificates have it.
date_of() { date -u -d "$1" +%Y%m%d%H%M%SZ; }

# other_certificate NAME HOST FROM TO: one more of the authority, for that time.
other_certificate() {
	rm -f "$web/index"* "$web/serial"*
	: >"$web/index"
	echo 01 >"$web/serial"
	printf '%s\n' '[ca]' 'default_ca = one' '[one]' "database = $web/index" "serial = $web/serial" \
		"new_certs_dir = $web" 'default_md = sha256' 'policy = any' 'unique_subject = no' '[any]' \
		'commonName = supplied' >"$web/ca.cnf"
	echo "subjectAltName=DNS:$2" >"$web/$1.extensions"
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$2" -keyout "$web/$1.key" -out "$web/$1.csr" &&
		openssl ca -batch -notext -config "$web/ca.cnf" -cert "$web/ca.pem" -keyfile "$web/ca.key" \
			-startdate "$(date_of "$3")" -enddate "$(date_of "$4")" \
			-extfile "$web/$1.extensions" -in "$web/$1.csr" -out "$web/$1.pem"
}

make_certificates() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj '/CN=Authority of a test' \
		-addext basicConstraints=critical,CA:TRUE -keyout "$web/ca.key" -out "$web/ca.pem" &&
		openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj '/CN=localhost' -keyout "$web/server.key" \
			-out "$web/server.csr" &&
		echo 'subjectAltName=DNS:localhost' >"$web/extensions" &&
		openssl x509 -req -in "$web/server.csr" -CA "$web/ca.pem" -CAkey "$web/ca.key" \
			-CAcreateserial -days 2 -extfile "$web/extensions" -out "$web/server.pem" &&
		other_certificate expired localhost '10 days ago' '2 days ago' &&
		other_certificate future localhost '2 days' '10 days' &&
		other_certificate other gitlab.example.com '1 day ago' '2 days'
}

write_web_config() {
	cat >"$web/nginx.conf" <<NGINX
worker_processes 1;
daemon off;
pid $web/pid;
error_log $web/error.log;
events { worker_connections 64; }
http {
	access_log off;
	log_format asked '\$request_method \$uri "\$remote_user" "\$http_authorization"';
	client_body_temp_path $web/t1; proxy_temp_path $web/t2; fastcgi_temp_path $web/t3;
	uwsgi_temp_path $web/t4; scgi_temp_path $web/t5;
	ssl_certificate $web/server.pem;
	ssl_certificate_key $web/server.key;
	default_type application/json;
	include $web/http*.conf;
	server {
		listen 127.0.0.1:$port ssl;
		access_log $web/site.log asked;
		root $web/site;
		location /away/ { return 302 https://localhost:$attacker_port/oauth/discovery/keys; }
		location /plain/ { return 301 http://127.0.0.1:$plain_port/oauth/discovery/keys; }
		location /slow/ { limit_rate 1; }
		location /broken/ { return 500; }
		location /forbidden/ { return 403; }
		include $web/site*.conf;
	}
	server {
		listen 127.0.0.1:$attacker_port ssl;
		access_log $web/attacker.log asked;
		root $web/attacker;
	}
	server {
		listen 127.0.0.1:$quiet_port;
		return 204;
	}
	server {
		listen 127.0.0.1:$expired_port ssl;
		ssl_certificate $web/expired.pem;
		ssl_certificate_key $web/expired.key;
	}
	server {
		listen 127.0.0.1:$future_port ssl;
		ssl_certificate $web/future.pem;
		ssl_certificate_key $web/future.key;
	}
	server {
		listen 127.0.0.1:$other_port ssl;
		ssl_certificate $web/other.pem;
		ssl_certificate_key $web/other.key;
	}
	server {
		listen 127.0.0.1:$plain_port;
		access_log $web/plain.log asked;
		root $web/site;
	}
}
NGINX
}

# Returns once it answers; false where it has ended, for want of a port for example.
start_web() {
	local round
	rm -f "$web/pid"
	nginx -p "$web" -c "$web/nginx.conf" -e "$web/error.log" >"$web/said" 2>&1 &
	nginx_pid=$!
	for round in $(seq 200); do
		[ -s "$web/pid" ] && return 0
		kill -0 "$nginx_pid" 2>/dev/null || break
		sleep 0.05
	done
	kill "$nginx_pid" 2>/dev/null
	wait "$nginx_pid" 2>/dev/null
	nginx_pid=
	return 1
}

start_web_somewhere() {
	local round
	for round in $(seq 20); do
		port=$(shuf -i 10000-29999 -n 1)
		attacker_port=$((port + 1)) plain_port=$((port + 2)) quiet_port=$((port + 3))
		expired_port=$((port + 4)) future_port=$((port + 5)) other_port=$((port + 6))
		write_web_config
		start_web && return 0
	done
	cat "$web/said" "$web/error.log"
	return 1
}

# log_of SERVER: who asked for what, site's, attacker's or plain's. A request is logged once it is
# answered; nginx has but one worker, which answers this one after that.
log_of() {
	bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$1" && printf "HEAD / HTTP/1.0\\r\\n\\r\\n" >&3 && cat <&3' - \
		"$quiet_port" | grep -q '^HTTP/1.1 204' || echo "the web server does not answer"
	cat "$web/$1.log"
}

# keys_of DIRECTORY KEY...: what a server answers below that path.
keys_of() {
	local where="$1"
	shift
	mkdir -p "$where/oauth/discovery"
	$sign jwks "$@" >"$where/oauth/discovery/keys"
}
