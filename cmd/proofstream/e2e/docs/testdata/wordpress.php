<?php
// The functions of WordPress and WooCommerce that the README's example calls, as far as it uses them.
define('PROOF_URL', getenv('PROOF_URL'));
define('PROOF_KEY', getenv('PROOF_KEY'));

$actions = [];

function add_action($name, $callback) {
    $GLOBALS['actions'][$name] = $callback;
}

function wp_schedule_single_event($time, $name, $arguments) {
    register_shutdown_function($GLOBALS['actions'][$name], ...$arguments);
}

class Item {
    function get_name() { return 'Ben &amp; Jerry&#8217;s'; }
}

class Order {
    function get_items() { return [7 => new Item()]; }
    function get_billing_first_name() { return 'Ada'; }
}

function wc_get_order($id) { return new Order(); }

function wp_json_encode($value) { return json_encode($value); }

function wp_remote_post($url, $arguments) {
    $headers = [];
    foreach ($arguments['headers'] as $name => $value) {
        $headers[] = "$name: $value";
    }
    $context = stream_context_create(['http' => ['method' => 'POST', 'timeout' => $arguments['timeout'], 'ignore_errors' => true,
        'header' => $headers, 'content' => $arguments['body']]]);
    $body = file_get_contents($url, false, $context);
    return ['code' => (int) explode(' ', $http_response_header[0])[1], 'body' => $body];
}

function is_wp_error($response) { return false; }

function wp_remote_retrieve_response_code($response) { return $response['code']; }

function wp_remote_retrieve_body($response) { return $response['body']; }

require $argv[1];
$actions['woocommerce_order_status_processing'](1042);
